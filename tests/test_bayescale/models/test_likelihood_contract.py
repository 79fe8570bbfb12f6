"""What every likelihood must do for the rest of the package, whatever its parameters are called.

The contract runs over the whole registry and over one more likelihood, which a folder outside the
package adds and whose parameters have other names than ours.
"""

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy.integrate import trapezoid

import bayescale as bs
from bayescale.errors import UsageError
from bayescale.models import likelihoods
from bayescale.models.likelihoods import LIKELIHOODS
from bayescale.models.model import Model
from bayescale.models.noise import Noise
from bayescale.models.observations import Observations
from bayescale.runs.table import Runs

TOY = "plain"
SOURCE = '''
"""Normal noise whose scale is not called sigma."""

from dataclasses import dataclass

from bayescale.distributions.prior import Prior
from bayescale.models.likelihood import AbstractLikelihood
from bayescale.models.noise import Noise


@dataclass(frozen=True)
class Plain(AbstractLikelihood):
    """``log loss ~ Normal(log L, spread)``."""

    name = "plain"
    scale_name = "spread"

    times: int = 1
    strict: bool = False

    def priors(self):
        return {"spread": Prior.around(0.01, 1.0)}

    def noise(self, log_loss, parameters, rows, ops):
        return Noise("Normal", {"mu": log_loss, "sigma": parameters["spread"]})
'''
OPTIONS = {"smooth_curves": "smooth_curves(along=D, run=run)"}
"""How a likelihood is asked for where its defaults are meant for another law."""

PIVOT = {"N": 1e8, "D": 1e10}
every = pytest.mark.parametrize("name", [*LIKELIHOODS, TOY])


@pytest.fixture(scope="module", autouse=True)
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One more likelihood, in a folder outside the package."""
    folder = tmp_path_factory.mktemp("likelihoods")
    (folder / f"{TOY}.py").write_text(SOURCE)
    likelihoods.__path__.append(str(folder))
    yield
    likelihoods.__path__.remove(str(folder))
    sys.modules.pop(f"{likelihoods.__name__}.{TOY}", None)


def model_of(name: str) -> Model:
    return Model.at("chinchilla", pivot=PIVOT, likelihood=OPTIONS.get(name, name), level=2.7)


def middle(model: Model) -> dict[str, float]:
    """Every noise parameter at the median of its prior."""
    return {n: float(p.scipy().median()) for n, p in model.likelihood.priors().items()}


def noise_of_a_new_run(name: str) -> Noise:
    model = model_of(name)
    rows = Observations({n: np.log([size]) for n, size in PIVOT.items()})
    return model.likelihood.noise(np.log([2.7]), middle(model), rows, np)


@pytest.fixture(scope="module")
def table() -> Runs:
    """Six models of six checkpoints each, with all columns that a likelihood reads."""
    rng = np.random.default_rng(0)
    sizes, data = 1e8 * np.exp(np.linspace(-2.5, 2.5, 6)), 1e10 * np.exp(np.linspace(-2.5, 2.5, 6))
    frame = pd.DataFrame({"N": np.repeat(sizes, 6), "D": np.tile(data, 6)})
    frame["loss"] = (
        1.7 + 0.6 * (frame["N"] / 1e8) ** -0.34 + 0.5 * (frame["D"] / 1e10) ** -0.3
    ) * (np.exp(0.004 * rng.standard_normal(36)))
    frame["run"] = np.repeat([f"model {i}" for i in range(6)], 6)
    frame["data_order"] = np.tile([f"order {i}" for i in range(6)], 6)
    frame["loss_se"] = 0.003
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # several rows belong to one run, as is meant
        return bs.read_runs(frame)


# --- where it is found, and how its options are read


def test_a_likelihood_from_outside_is_listed_and_named_in_the_error():
    assert TOY in LIKELIHOODS
    with pytest.raises(UsageError, match=rf"no likelihood called 'plian'.*'{TOY}'"):
        likelihoods.get("plian")


def test_options_are_read_as_the_class_declares_them():
    made = likelihoods.get("plain(times=3, strict=true)")
    assert (made.times, made.strict) == (3, True)
    for text, words in (("times=2.5", "takes a whole number"), ("strict=3", "takes true or false")):
        with pytest.raises(UsageError, match=f"of likelihood 'plain' {words}; got"):
            likelihoods.get(f"plain({text})")


# --- what it declares


@every
def test_the_scale_is_one_of_its_parameters(name):
    likelihood = model_of(name).likelihood
    parameters = middle(model_of(name))
    assert likelihood.scale_name in likelihood.priors()
    assert likelihood.scale(parameters) == parameters[likelihood.scale_name] > 0


@every
def test_location_and_scale_are_those_of_its_draws(name):
    """Moving the location moves the draws, and the middle half of them is as wide as the scale."""
    noise = noise_of_a_new_run(name)
    here = noise.sample(np.random.default_rng(1), (4000, 1))
    there = noise.shifted(0.5).sample(np.random.default_rng(1), (4000, 1))
    np.testing.assert_allclose(there - here, 0.5, atol=1e-12)
    low, centre, high = np.quantile((here - noise.location) / noise.scale, [0.25, 0.5, 0.75])
    # Quartiles of a Normal are .67 scales out; tails and contamination may widen them by a half.
    assert 0.5 < -low < 1.0
    assert 0.5 < high < 1.6
    assert abs(centre) < 0.5


@every
def test_its_density_has_mass_one(name):
    """Over the point, or for an interval over all intervals that tile the line."""
    noise = noise_of_a_new_run(name)
    assert not noise.is_probability  # of a new run nothing is rounded
    grid = noise.location + np.sinh(np.linspace(-14, 14, 20_001)) * noise.scale * 1e-3
    density = np.exp(noise.log_density(grid, np))
    assert trapezoid(density, grid) == pytest.approx(1.0, abs=2e-3)


def test_an_interval_says_that_it_is_a_probability(table: Runs):
    model = model_of("rounded")
    noise = model.likelihood.noise(np.log(table.loss), middle(model), model.observe(table), np)
    assert noise.is_probability


@every
def test_information_is_the_mean_square_of_the_score(name):
    noise = noise_of_a_new_run(name)
    x = noise.sample(np.random.default_rng(2), (400_000, 1))
    step = 1e-4 * noise.scale
    ahead, behind = (noise.shifted(sign * step).log_density(x, np) for sign in (1, -1))
    square = ((ahead - behind) / (2 * step)) ** 2
    error = square.std() / np.sqrt(square.size)
    got = np.ravel(model_of(name).likelihood.information(noise))[0]
    assert abs(square.mean() - got) < 4 * error + 0.02 * got


@every
def test_a_run_is_the_likelier_an_outlier_the_farther_above_it_lies(name):
    noise, likelihood = noise_of_a_new_run(name), model_of(name).likelihood
    far = noise.location + np.array([0.0, 3.0, 30.0])[:, None] * noise.scale
    probability = np.ravel(likelihood.outlier_probability(noise, far))
    assert np.all((probability >= 0) & (probability <= 1))
    assert np.all(np.diff(probability) >= 0)
    assert probability[-1] > 0.5
    assert 0 < likelihood.expected_outliers(noise) < 0.5


@every
def test_numpy_and_jax_give_one_density(name, table: Runs):
    model = model_of(name)
    rows, values = model.observe(table), middle(model)
    mean = rows.log_loss + 0.003
    mine, others = (
        model.likelihood.noise(ops.asarray(mean), values, rows, ops).log_density(rows.log_loss, ops)
        for ops in (np, jnp)
    )
    np.testing.assert_allclose(mine, others, rtol=1e-9, atol=1e-9)


# --- the whole journey


@every
def test_a_fit_summarises_predicts_plans_pools_and_comes_back_from_a_file(
    name, table: Runs, tmp_path: Path
):
    likelihood = OPTIONS.get(name, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 36 rows and an approximation: what the gate says varies
        post = bs.fit(table, likelihood=likelihood, engine="laplace", draws=100, seed=0)
        assert post.model.likelihood.scale_name in post.summary().index
        beyond = {"N": 1e10, "D": 1e12}
        bare, drifted, noisy = (
            np.log(post.predict(force=True, **beyond, **options).draws).std()
            for options in ({"drift": False}, {}, {"noise": True})
        )
        assert bare < drifted
        assert bare < noisy
        assert post.log_likelihood().shape == (400, 36)
        assert post.outliers()["probability"].between(0, 1).all()
        plan = bs.plan(post, compute=1e19, force=True)
        path = post.save(tmp_path / "fit.nc")
    again = bs.Posterior.load(path)
    assert again.model.likelihood == post.model.likelihood
    same = bs.plan(again, compute=1e19, force=True)
    pd.testing.assert_frame_equal(plan.summary(), same.summary())
    pooled = post.model.pooled("run", ["model 0", "model 1"])
    assert post.model.likelihood.scale_name in pooled.pooling.coordinates


@pytest.mark.filterwarnings("ignore")
def test_interval_and_point_likelihoods_are_not_compared(table: Runs):
    posts = {
        name: bs.fit(table, likelihood=name, engine="laplace", draws=100)
        for name in ("rounded", TOY)
    }
    with pytest.raises(UsageError, match=r"'rounded'.*'plain'"):
        bs.compare(posts, by="loo", force=True)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_groups_differ_in_the_scale_whatever_it_is_called(table: Runs):
    halves = table.table.assign(corpus=np.where(np.arange(36) % 2, "a", "b"))
    post = bs.fit_groups(bs.read_runs(halves), likelihood=TOY, groups="corpus", draws=200, seed=0)
    assert "spread" in post.pooling.coordinates
    assert post.coordinates["spread"].shape == (4, 200, 2)
