"""What every engine promises, and one from outside: names, shapes, seeds, versions, groups."""

from importlib.metadata import version

import jax
import numpy as np
import pytest

import bayescale as bs
from bayescale import engines
from bayescale.engines import samplers
from bayescale.engines.engine import Sampling
from bayescale.models.density import Density
from bayescale.models.model import Model
from bayescale.runs.table import Runs

PIVOT = {"D": 1e10}
FIXED = {"floor_fraction": 0.6}
MODEL = Model.at("power_D", pivot=PIVOT)
HELD = Model(MODEL.law, MODEL.priors.replace(FIXED), MODEL.likelihood, drift=MODEL.drift)

TOY = '''
"""Draws from the prior: an engine from outside."""

from typing import ClassVar

import numpy as np

from bayescale.engines.engine import AbstractEngine
from bayescale.models.draws import Draws


class Engine(AbstractEngine):
    """The prior."""

    meaning: ClassVar[str] = "draws from the prior"
    packages: ClassVar[tuple[str, ...]] = ("numpy",)

    def sample(self, model, runs, sampling):
        rng = np.random.default_rng(sampling.seed)
        shape = (sampling.chains, sampling.draws or 100)
        table = model.priors.table
        drawn = {n: table[n].sample(rng, (*shape, *model.shapes[n])) for n in table}
        return Draws(drawn, {"lp": np.zeros(shape)}, {}, self.packages)
'''


@pytest.fixture(scope="module", autouse=True)
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("engines")
    (folder / "from_the_prior.py").write_text(TOY)
    samplers.__path__.append(str(folder))
    yield
    samplers.__path__.remove(str(folder))


def _runs(seed: int, slope: float = 0.3, count: int = 24) -> Runs:
    design = {"D": np.geomspace(1e8, 1e12, count)}
    at = {"sigma": 0.003, "nu": 5.0, "alpha": slope, "L_pivot": 2.5 + 0.1 * seed}
    return HELD.simulate(design, seed=seed, coordinates=at).runs


NAMES = (*engines.ENGINES, "from_the_prior")


@pytest.mark.parametrize("name", NAMES)
def test_draws_have_every_name_and_the_shape_asked_for_and_follow_the_seed(name: str) -> None:
    engine, runs = engines.get(name), _runs(0)
    one, again, other = (
        engine.sample(HELD, runs, Sampling(draws=60, chains=2, seed=seed)) for seed in (3, 3, 4)
    )
    assert set(one.coordinates) == set(HELD.priors.table)
    for key, values in one.coordinates.items():
        assert values.shape == (2, 60), key
        assert np.all(np.isfinite(values)), key
        if name == "pymc":  # code that was compiled anew may round differently from kept code
            error = 5 * values.std() * np.sqrt(2 / 30) + 1e-12
            assert abs(values.mean() - again.coordinates[key].mean()) < error, key
        else:
            np.testing.assert_array_equal(values, again.coordinates[key])
    assert not np.array_equal(one.coordinates["alpha"], other.coordinates["alpha"])
    assert np.all(one.coordinates["floor_fraction"] == 0.6)
    assert one.sample_stats["lp"].shape == (2, 60)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore::bayescale.errors.DiagnosticsWarning")
def test_the_record_names_the_versions_of_the_engine_s_own_packages(name: str) -> None:
    engine = engines.get(name)
    assert engine.meaning
    post = bs.fit(_runs(0), HELD, engine=name, draws=60, chains=2, seed=0)
    recorded = post.record["versions"]
    assert {"bayescale", *engine.packages} <= set(recorded)
    assert all(version(package) == told for package, told in recorded.items())
    others = {p for n in NAMES for p in engines.get(n).packages} - set(engine.packages)
    optional = {"nutpie"}  # of what PyMC samples by
    assert not (others - {"numpy"} - optional) & set(recorded)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n == "pymc" else n for n in NAMES]
)
def test_groups_are_asked_for_like_one_table(name: str) -> None:
    table = _runs(0).table
    table = table.assign(corpus=np.where(np.arange(len(table)) % 2, "a", "b"))
    runs = bs.read_runs(table)
    model = HELD.pooled("corpus", ["a", "b"], ["L_pivot"])
    found = engines.get(name).sample(model, runs, Sampling(draws=60, chains=2, seed=0))
    assert found.coordinates["L_pivot_offset"].shape == (2, 60, 2)
    assert found.coordinates["L_pivot_spread"].shape == (2, 60)


@pytest.mark.parametrize("name", ["numpyro", "laplace"])
@pytest.mark.filterwarnings("ignore::bayescale.errors.DiagnosticsWarning")
def test_a_second_table_of_the_same_shape_compiles_nothing(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The numbers of priors, pivots and losses are data of the program."""
    traced: list[int] = []
    real = Density.log_density

    def counted(self, position, *rest, **options):
        if isinstance(position, jax.core.Tracer):
            traced.append(1)
        return real(self, position, *rest, **options)

    monkeypatch.setattr(Density, "log_density", counted)
    prior = {"floor_fraction": bs.Prior("Beta", alpha=40, beta=20)}
    options = {"law": "power_D", "engine": name, "draws": 100, "chains": 2}
    count = {"numpyro": 25, "laplace": 26}[name]  # a shape that no other test has compiled
    first, second = (_runs(seed, slope, count) for seed, slope in ((0, 0.3), (1, 0.4)))
    bs.fit(first, prior=prior, seed=0, **options)
    once = len(traced)
    assert once > 0
    prior = {"floor_fraction": bs.Prior("Beta", alpha=30, beta=15)}
    bs.fit(second, prior=prior, seed=1, **options)
    assert len(traced) == once
