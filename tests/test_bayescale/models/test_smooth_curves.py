"""Whole loss curves of single runs: the density is that of a Gaussian process, built otherwise."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.gaussian_process.kernels import Matern

import bayescale as bs
from bayescale.errors import DiagnosticsWarning, RunsWarning
from bayescale.models.density import Density
from bayescale.models.likelihoods.smooth_curves import LEAST_NOISE
from bayescale.models.model import Model

PIVOT = {"N": 1e8, "D": 2e9}
LAW = {"L_pivot": 3.2, "floor_fraction": 0.55, "share_N": 0.45, "alpha": 0.33, "beta": 0.29}
NOISE = {"sigma": 0.02, "nu": 1e7, "effect": 0.03, "span": 1.3, "rough": 0.05}
POWERS = {"trend": -0.4, "tilt": -0.3, "bend": 0.06}
MODEL = Model.at("chinchilla", pivot=PIVOT, likelihood="smooth_curves")


def ladder(runs: int, points: int) -> pd.DataFrame:
    n = np.repeat(PIVOT["N"] * np.geomspace(0.05, 20, runs), points)
    d = np.tile(PIVOT["D"] * np.geomspace(0.1, 15, points), runs)
    return pd.DataFrame({"N": n, "D": d, "run": [f"run {i // points}" for i in range(len(n))]})


def given(**changed: float) -> dict[str, float]:
    values = LAW | NOISE | POWERS | changed
    return {name: np.float64(values[name]) for name in MODEL.priors.table}


def simulate(table: pd.DataFrame, seed: int = 0, **changed: float) -> bs.Runs:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RunsWarning)  # of rows that belong to one run
        return MODEL.simulate(table, seed=seed, coordinates=given(**changed)).runs


def residuals(runs: bs.Runs) -> np.ndarray:
    mean = MODEL.law.log_loss(MODEL.parameters(given(), np), MODEL.observe(runs).log_resources, np)
    return np.log(runs.loss) - mean


def covariance(n: float, d: np.ndarray, values: dict[str, float]) -> np.ndarray:
    """Of one run's residuals, written as the docstring has it."""
    size, time = (n / PIVOT["N"]) ** values["trend"], np.log(d / PIVOT["D"])
    scale = size * values["sigma"] * np.exp(values["tilt"] * time + values["bend"] * time**2)
    process = Matern(length_scale=values["span"], nu=2.5)(time[:, None])
    process += (values["rough"] ** 2 + LEAST_NOISE) * np.eye(len(d))
    return scale[:, None] * process * scale + (size * values["effect"]) ** 2


def dense(runs: bs.Runs, values: dict[str, float]) -> float:
    table = runs.table.assign(residual=residuals(runs))
    return sum(
        stats.multivariate_normal.logpdf(
            rows["residual"], cov=covariance(rows["N"].iloc[0], rows["D"].to_numpy(), values)
        )
        for _, rows in table.groupby("run")
    )


@pytest.mark.parametrize(
    "changed", [{}, {"rough": 0.5}, {"span": 0.2}, {"tilt": 0.4, "bend": -0.1}]
)
def test_four_checkpoints_have_the_exact_density_of_the_gaussian_process(changed):
    runs = simulate(ladder(5, 4), **changed)
    got = Density(MODEL).log_likelihood(given(**changed), MODEL.observe(runs), np).sum()
    assert got == pytest.approx(dense(runs, given(**changed)), abs=1e-5)  # nu is 1e7


@pytest.mark.parametrize("rough", [1e-4, 0.05, 0.3])
def test_of_many_checkpoints_little_is_lost_by_looking_back_at_three(rough):
    """Mean loss of log density a checkpoint: the divergence from the process itself."""
    table, differences = ladder(4, 30), []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        values = given(rough=rough)
        blocks = [
            rng.multivariate_normal(
                np.zeros(30), covariance(rows["N"].iloc[0], rows["D"].to_numpy(), values)
            )
            for _, rows in table.groupby("run", sort=False)
        ]
        runs = simulate(table)
        mean = np.log(runs.loss) - residuals(runs)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RunsWarning)
            runs = bs.read_runs(table.assign(loss=np.exp(mean + np.concatenate(blocks))))
        got = Density(MODEL).log_likelihood(values, MODEL.observe(runs), np).sum()
        differences.append((dense(runs, values) - got) / len(runs))
    assert 0 < np.mean(differences) < 0.05  # .036, .011 and .013


def test_checkpoints_that_nearly_coincide_leave_the_density_finite():
    points = 400
    d = PIVOT["D"] * np.exp(np.linspace(0, 1e-3, points))
    runs = simulate(pd.DataFrame({"N": PIVOT["N"], "D": d, "run": "one"}), rough=1e-3)
    density = Density(MODEL)
    for rough, span in ((1e-12, 50.0), (1e-6, 1.0), (1e-2, 1e-4)):
        values = given(rough=rough, span=span)
        found = density.log_likelihood(values, MODEL.observe(runs), np)
        assert np.all(np.isfinite(found))


def test_what_was_put_in_is_found():
    """Laplace on 24 runs of ten checkpoints: every noise parameter within three sds."""
    truth = {"nu": 8.0, "sigma": 0.006, "effect": 0.008}
    runs = simulate(ladder(24, 10), seed=3, **truth)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiagnosticsWarning)  # of single runs that matter
        post = bs.fit(runs, MODEL, engine="laplace", seed=0)
    values = given(**truth)
    for name in ("sigma", "effect", "span", "rough", "trend", "tilt", "bend", "alpha", "beta"):
        draws = post.draws[name].to_numpy()
        true = values[name]
        if name not in POWERS:
            draws, true = np.log(draws), np.log(true)
        assert abs(draws.mean() - true) < 3 * draws.std(), name
    assert post.draws["tilt"].quantile(0.99) < 0
    assert post.draws["trend"].quantile(0.99) < 0
    assert post.draws["bend"].quantile(0.01) > 0
