"""The PyMC engine: NumPyro's posterior, with and without nutpie, pooled, and of a program."""

import os
import subprocess
import sys
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from arviz_stats.base import array_stats

import bayescale as bs
from bayescale import engines
from bayescale.engines import attempts as attempts_module
from bayescale.engines import mode as mode_module
from bayescale.engines.attempts import Attempt
from bayescale.engines.engine import AbstractEngine, Sampling
from bayescale.engines.samplers import pymc as pymc_module
from bayescale.engines.samplers.pymc import Engine
from bayescale.errors import UsageError
from bayescale.models.density import Density
from bayescale.models.draws import Draws
from bayescale.models.export import to_pymc
from bayescale.models.model import Model
from bayescale.runs.table import Runs
from theory.declaration import symbols as s
from theory.declaration.forward import ForwardLaw

ERRORS = 4.0
"""Two estimates may differ by this many of their combined Monte Carlo standard errors."""

PIVOT = {"D": 1e10}
FIXED = {"floor_fraction": 0.6}


def _simulated(model: Model, groups: int = 1, count: int = 40, sigma: float = 0.003) -> Runs:
    rng = np.random.default_rng(0)
    design = {"D": 1e10 * np.exp(rng.uniform(-3, 3, count))}
    if groups > 1:
        design["family"] = np.array([f"g{i % groups}" for i in range(count)])
    at = {"sigma": sigma, "nu": 6.0, "alpha": 0.3}
    return model.simulate(design, seed=0, coordinates=at).runs


MODEL = Model.at("power_D", pivot=PIVOT)


@pytest.fixture(scope="module")
def runs() -> Runs:
    return _simulated(MODEL)


def _draw(engine: AbstractEngine, model: Model, runs: Runs, **options) -> Draws:
    return engine.sample(model, runs, Sampling(**options))


def _error(draws: np.ndarray) -> float:
    """Monte Carlo standard error of the mean of draws (chain, draw)."""
    return float(array_stats.mcse(draws, method="mean"))


def _same_posterior(ours: Draws, theirs: Draws, free: tuple[str, ...]) -> None:
    for name in free:
        mine, other = ours.coordinates[name], theirs.coordinates[name]
        assert mine.shape[0] == 4
        for level in ("mean", 0.05, 0.95):
            if level == "mean":
                gap = mine.mean(axis=(0, 1)) - other.mean(axis=(0, 1))
                error = [_errors(d, _error) for d in (mine, other)]
            else:
                gap = np.quantile(mine, level, axis=(0, 1)) - np.quantile(other, level, axis=(0, 1))
                error = [
                    _errors(d, lambda x, p=level: _quantile_error(x, p)) for d in (mine, other)
                ]
            assert np.all(np.abs(gap) < ERRORS * np.hypot(*error)), (name, level, gap, error)


def _quantile_error(draws: np.ndarray, level: float) -> float:
    return float(array_stats.mcse(draws, method="quantile", prob=level))


def _errors(draws: np.ndarray, of) -> np.ndarray:
    """Error of each element of a site (chain, draw, ...)."""
    flat = draws.reshape(*draws.shape[:2], -1)
    return np.array([of(flat[..., i]) for i in range(flat.shape[-1])]).reshape(draws.shape[2:])


@pytest.fixture(scope="module")
def drawn(runs: Runs) -> Draws:
    return _draw(Engine(), MODEL, runs)


@pytest.fixture(scope="module")
def reference(runs: Runs) -> Draws:
    return _draw(engines.get("numpyro"), MODEL, runs)


def test_it_is_found_by_name() -> None:
    assert isinstance(engines.get("pymc"), Engine)
    with pytest.raises(UsageError, match="Did you mean 'pymc'"):
        engines.get("pymcc")


@pytest.mark.slow
def test_the_posterior_is_numpyros(drawn: Draws, reference: Draws) -> None:
    _same_posterior(drawn, reference, MODEL.free)


def test_statistics_have_arvizs_names(drawn: Draws, runs: Runs) -> None:
    stats = drawn.sample_stats
    assert set(stats) == {
        "diverging",
        "energy",
        "n_steps",
        "tree_depth",
        "acceptance_rate",
        "lp",
    }
    shape = drawn.coordinates["alpha"].shape
    assert all(values.shape == shape for values in stats.values())
    # The density is ours: at the draws, with the Jacobian.
    density = Density(MODEL)
    positions = density.unconstrain(drawn.coordinates)[:, :3]
    want = density.log_density(positions, MODEL.observe(runs), np)
    np.testing.assert_allclose(stats["lp"][:, :3], want, rtol=1e-9)
    assert drawn.facts["sampler"] == "nutpie"
    assert drawn.facts["mode_agreeing"] > 1


@pytest.mark.slow
def test_fit_takes_it(runs: Runs) -> None:
    told: list[str] = []
    post = bs.fit(runs, MODEL, engine="pymc", prior=FIXED, seed=0, progress=told.append)
    assert post.diagnose().status == "ok"
    assert np.all(post.draws["floor_fraction"].to_numpy() == 0.6)
    assert any("nutpie" in stage for stage in told)
    assert {"E", "A", "alpha"} <= set(post.summary().index)
    again = bs.fit(runs, MODEL, engine="pymc", prior=FIXED, seed=0)
    np.testing.assert_array_equal(post.draws["alpha"], again.draws["alpha"])
    other = bs.fit(runs, MODEL, engine="pymc", prior=FIXED, seed=1)
    assert not np.array_equal(post.draws["alpha"], other.draws["alpha"])


@pytest.mark.slow
def test_without_nutpie_pymc_samples_itself(
    runs: Runs, reference: Draws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nutpie", None)
    monkeypatch.setattr(pymc_module, "ATTEMPTS", (Attempt(400, 0.9),))
    told: list[str] = []
    found = _draw(Engine(), MODEL, runs, draws=400, progress=told.append)
    assert found.facts["sampler"] == "pymc"
    assert "NUTS by pymc: compiling" in told
    assert found.coordinates["alpha"].shape == (4, 400)
    assert "energy" in found.sample_stats
    assert "lp" in found.sample_stats
    _same_posterior(found, reference, MODEL.free)
    few = [_draw(Engine(), MODEL, runs, draws=20, chains=1).coordinates["nu"] for _ in "ab"]
    np.testing.assert_array_equal(*few)


@pytest.mark.slow
def test_groups_are_pooled() -> None:
    plain = Model.at("power_D", pivot=PIVOT, prior={"floor_fraction": 0.6, "nu": 6.0})
    model = plain.pooled("family", ["g0", "g1", "g2"], ["L_pivot", "alpha"])
    # Few noisy runs a group, where offsets are what should be sampled.
    runs = _simulated(model, groups=3, count=15, sigma=0.05)
    found = _draw(Engine(), model, runs)
    assert found.coordinates["alpha_offset"].shape[2:] == (3,)
    assert np.all(found.coordinates["nu"] == 6.0)
    theirs = _draw(engines.get("numpyro"), model, runs)
    _same_posterior(found, theirs, model.free)


def _program() -> ForwardLaw:
    """The power law in D, as a program."""
    a, alpha = s.amplitude("A", of=s.D), s.exponent("alpha", of=s.D)
    return ForwardLaw(
        log_shape=lambda p, r: -jnp.exp(p["alpha"]) * r["D"],
        name="program",
        title="",
        source="",
        citation="",
        resources=(s.D,),
        parameters=(s.floor(), a, alpha),
        floor=s.floor(),
    )


@pytest.mark.slow
def test_a_program_wants_double_precision_and_leaves_it_as_it_was(runs: Runs) -> None:
    model = Model.at(_program(), pivot=PIVOT)
    with jax.enable_x64(False):
        with pytest.raises(UsageError, match=r"double precision.*jax\.enable_x64\(True\)"):
            to_pymc(model, runs)
    code = (
        "import jax, numpy as np, bayescale as bs\n"
        "rows = {'D': np.geomspace(1e8, 1e10, 12), 'loss': 1.7 + np.geomspace(1.1, 0.6, 12)}\n"
        "import pandas as pd, warnings\n"
        "warnings.simplefilter('ignore')\n"
        "bs.fit(pd.DataFrame(rows), law='power_D', engine='pymc', draws=50, chains=2, seed=0)\n"
        "print(jax.config.jax_enable_x64)\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "JAX_ENABLE_X64"}
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert told.stdout.split() == ["False"]


@pytest.mark.slow
def test_a_program_has_the_posterior_of_its_formula(runs: Runs, reference: Draws) -> None:
    found = _draw(Engine(), Model.at(_program(), pivot=PIVOT), runs)
    _same_posterior(found, reference, MODEL.free)


@pytest.mark.slow
def test_smaller_steps_are_tried_where_draws_diverge(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts_module, "MAX_DIVERGENT", -1.0)
    told: list[str] = []
    found = _draw(Engine(), MODEL, runs, draws=50, chains=2, progress=told.append)
    assert found.facts["target_acceptance"] == 0.98
    assert found.facts["attempts"] == 2
    assert "NUTS: draws diverged; again with a longer warm-up and smaller steps" in told


@pytest.mark.slow
def test_without_a_mode_it_says_so(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    from bayescale.engines.mode import NoModeFound

    def fails(*_: object, **__: object) -> None:
        raise NoModeFound("for the test")

    monkeypatch.setattr(mode_module, "find_mode", fails)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        post = bs.fit(runs, MODEL, engine="pymc", prior=FIXED, seed=0)
    assert any("no posterior mode was found" in str(w.message) for w in caught)
    assert not post.diagnose().refusals
