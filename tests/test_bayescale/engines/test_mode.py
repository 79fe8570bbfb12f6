"""Posterior mode and curvature, on problems whose answer is known."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy import linalg, special, stats

from bayescale.engines.mode import NoModeFound, find_mode
from bayescale.models.density import Density
from bayescale.models.model import Model
from bayescale.models.observations import Observations
from bayescale.runs.table import read_runs

HESSIAN = 1e-5
"""Central difference of the gradient at a thousandth of a standard deviation: error 1e-6 of the
third derivative's scale."""

CLIMB = 1e-4
"""BFGS stops at a gradient of 1e-5; in standard deviations of the posterior that is far less
than anybody reports."""

PIVOT = {"N": 1e8, "D": 5e9}
TRUTH = {"L_pivot": 3.2, "floor_fraction": 0.55, "share_N": 0.45, "alpha": 0.33, "beta": 0.29}


def simulated(model, rows=40, seed=0):
    rng = np.random.default_rng(seed)
    design = {"N": 10 ** rng.uniform(6.5, 9.5, rows), "D": 10 ** rng.uniform(8.5, 11, rows)}
    coordinates = {**TRUTH, "sigma": 0.02}
    if "nu" in model.priors.table:
        coordinates["nu"] = 5.0
    return model.simulate(design, seed=seed, coordinates=coordinates).runs


def test_the_covariance_is_the_inverse_of_the_exact_hessian():
    model = Model.at("chinchilla", pivot=PIVOT)
    density, runs = Density(model), simulated(model)
    observed = model.observe(runs)
    mode = find_mode(density, observed, rng=np.random.default_rng(1))
    hessian = -jax.jit(jax.hessian(density.log_density))(jnp.asarray(mode.position), observed)
    exact = np.linalg.inv(np.asarray(hessian))
    scale = np.sqrt(np.diag(exact))
    error = (mode.covariance - exact) / np.outer(scale, scale)
    assert np.max(np.abs(error)) < HESSIAN * np.linalg.cond(exact / np.outer(scale, scale))
    np.testing.assert_allclose(np.sqrt(np.diag(mode.covariance)), scale, rtol=1e-4)
    information = linalg.inv(mode.covariance)
    unit = np.sqrt(np.diag(hessian))
    error = (information - np.asarray(hessian)) / np.outer(unit, unit)
    assert np.max(np.abs(error)) < HESSIAN
    np.testing.assert_allclose(mode.factor @ mode.factor.T, mode.covariance, rtol=1e-10)
    np.testing.assert_array_equal(mode.factor, np.tril(mode.factor))
    # At the mode the gradient is nothing in units of the posterior's own width.
    gradient = jax.grad(density.log_density)(jnp.asarray(mode.position), observed)
    assert np.max(np.abs(mode.factor.T @ np.asarray(gradient))) < 1e-3
    assert mode.log_density == pytest.approx(
        float(density.log_density(jnp.asarray(mode.position), observed)), rel=1e-12
    )
    assert 1 <= mode.agreeing <= mode.starts == 6


def test_the_level_alone_has_a_conjugate_posterior():
    # Every term scales with L_pivot, so log loss = log L_pivot + h with normal prior and noise.
    sigma = 0.02
    fixed = {name: value for name, value in TRUTH.items() if name != "L_pivot"}
    model = Model.at(
        "chinchilla", pivot=PIVOT, likelihood="normal", prior={**fixed, "sigma": sigma}
    )
    runs = simulated(model)
    mode = find_mode(Density(model), model.observe(runs), rng=np.random.default_rng(2))
    n, d = runs.column("N"), runs.column("D")
    terms = 0.45 * (n / PIVOT["N"]) ** -0.33 + 0.55 * (d / PIVOT["D"]) ** -0.29
    residual = np.log(runs.loss) - np.log(0.55 + 0.45 * terms)
    prior_mean, prior_precision = np.log(2.7), 1 / 0.2**2
    precision = prior_precision + len(runs) / sigma**2
    mean = (prior_precision * prior_mean + residual.sum() / sigma**2) / precision
    sd = precision**-0.5
    assert mode.position[0] == pytest.approx(mean, abs=CLIMB * sd)
    assert mode.covariance[0, 0] == pytest.approx(1 / precision, rel=1e-6)
    evidence_free = (
        stats.norm(prior_mean, 0.2).logpdf(mean) + stats.norm(mean, sigma).logpdf(residual).sum()
    )
    assert mode.log_density == pytest.approx(evidence_free, rel=1e-9)
    assert mode.agreeing == mode.starts


def test_a_mode_in_two_coordinates_is_where_a_dense_grid_has_it():
    fixed = {"L_pivot": 3.2, "share_N": 0.45, "beta": 0.29, "sigma": 0.02}
    model = Model.at("chinchilla", pivot=PIVOT, likelihood="normal", prior=fixed)
    assert model.free == ("floor_fraction", "alpha")
    runs = simulated(model)
    mode = find_mode(Density(model), model.observe(runs), rng=np.random.default_rng(3))
    n, d = runs.column("N"), runs.column("D")

    def log_posterior(logit, log_alpha):
        floor, alpha = special.expit(logit)[:, None, None], np.exp(log_alpha)[None, :, None]
        terms = 0.45 * (n / PIVOT["N"]) ** -alpha + 0.55 * (d / PIVOT["D"]) ** -0.29
        mean = np.log(3.2 * (floor + (1 - floor) * terms))
        total = stats.norm(mean, 0.02).logpdf(np.log(runs.loss)).sum(axis=-1)
        prior = stats.beta(5, 3).logpdf(floor) + np.log(floor * (1 - floor))
        prior = prior + stats.norm(np.log(0.3), 0.4).logpdf(np.log(alpha))
        return total + prior[..., 0]

    # A coarse grid over the prior, then one of 1e-3 of it around the best point.
    x, y = np.linspace(-3, 3, 121), np.linspace(-3, 1, 121)
    for _ in range(3):
        grid = log_posterior(x, y)
        i, j = np.unravel_index(np.argmax(grid), grid.shape)
        step_x, step_y = x[1] - x[0], y[1] - y[0]
        best = np.array([x[i], y[j]])
        x, y = (best[k] + np.linspace(-2, 2, 121) * step for k, step in enumerate((step_x, step_y)))
    np.testing.assert_allclose(mode.position, best, atol=2 * max(step_x, step_y))
    assert mode.log_density == pytest.approx(grid.max(), abs=1e-5)


def test_the_same_generator_gives_the_same_mode():
    model = Model.at("power", pivot={"N": 1e8})
    table = {"N": [1e7, 3e7, 1e8, 1e9], "loss": [3.5, 3.2, 3.0, 2.7]}
    runs = read_runs(pd.DataFrame(table))
    density, observed = Density(model), model.observe(runs)
    first, again = (
        find_mode(density, observed, starts=2, rng=np.random.default_rng(4)) for _ in range(2)
    )
    np.testing.assert_array_equal(first.position, again.position)
    assert first.starts == 2


def test_a_density_that_is_finite_nowhere_has_no_mode():
    model = Model.at("power", pivot={"N": 1e8})
    observed = Observations({"N": np.log([1e7, 1e8])}, np.array([np.nan, 1.0]))
    with pytest.raises(NoModeFound, match=r"^the log density is not finite at any start$"):
        find_mode(Density(model), observed, starts=2, rng=np.random.default_rng(5))


@dataclass(frozen=True)
class Flat(Density):
    """A density without any maximum."""

    def log_density(self, position, observed, ops=jnp, numbers=None):
        return 0.0 * position.sum()


def test_a_flat_density_has_no_mode():
    model = Model.at("power", pivot={"N": 1e8})
    observed = Observations({"N": np.log([1e7, 1e8])}, np.log([3.0, 2.8]))
    with pytest.raises(NoModeFound, match=r"^the curvature at the best point is not that of a max"):
        find_mode(Flat(model), observed, starts=2, rng=np.random.default_rng(6))
