"""Fits to really trained networks, whose task is known: exponents, the floor, and the prior."""

import numpy as np
import pandas as pd
import pytest

import bayescale as bs
from bayescale.errors import DiagnosticsWarning
from bayescale.models.geometry_priors import prior_from_data

NO_FLOOR = "((A*N**-alpha)**q + (B*D**-beta)**q)**(1/q)"
ADDITIVE = "A*N**-alpha + B*D**-beta"

# No law is quite that of the networks, and six runs are few: the gate says so.
pytestmark = pytest.mark.filterwarnings("ignore::bayescale.errors.DiagnosticsWarning")


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Students of 8 and more units on 128 and more examples."""
    every = bs.load("teacher_student").table
    return every[(every["width"] >= 8) & (every["D"] >= 128)].reset_index(drop=True)


@pytest.fixture(scope="module")
def sphere() -> np.ndarray:
    """Inputs like the students'."""
    points = np.random.default_rng(0).normal(size=(1000, 5))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def test_without_a_floor_the_exponents_are_smoothness_over_dimension(table: pd.DataFrame) -> None:
    """Both are 3/4 for fixed features as smooth as the teacher's; corrections add an eighth."""
    runs = bs.read_runs(table[["N", "D", "loss"]], on_duplicates="keep")
    found = bs.fit(runs, NO_FLOOR, engine="laplace", seed=0).summary()["mean"]
    assert found["alpha"] == pytest.approx(3 / 4, rel=1 / 8)
    assert found["beta"] == pytest.approx(3 / 4, rel=1 / 8)


def test_a_free_floor_is_found_where_there_is_none(table: pd.DataFrame) -> None:
    """The labels hold no noise. The law's own error passes for a floor, and the gate says so."""
    runs = bs.read_runs(table[["N", "D", "loss"]], on_duplicates="keep")
    with pytest.warns(DiagnosticsWarning, match="residuals follow log N"):
        post = bs.fit(runs, "share", engine="laplace", seed=0)
    floor = post.summary().loc["E"]
    assert floor["mean"] > 5 * floor["sd"]
    assert floor["mean"] < table["loss"].min()


@pytest.mark.slow
def test_the_geometry_of_the_inputs_foretells_larger_networks_better(
    table: pd.DataFrame, sphere: np.ndarray
) -> None:
    """Six runs each, twelve times: nearer to the truth, in narrower intervals, than by default."""
    pool = table[(table["width"] <= 48) & (table["D"] <= 2048)]
    rows = [pool.sample(6, random_state=seed) for seed in range(12)]
    tables = [bs.read_runs(one[["N", "D", "loss"]].reset_index(drop=True)) for one in rows]
    kinds = {"default": {}, "geometry": dict(prior_from_data(sphere, law=ADDITIVE))}
    law = bs.parse_law(ADDITIVE)
    models = [
        bs.Model.for_runs(law, runs, likelihood="normal", prior=prior)
        for prior in kinds.values()
        for runs in tables
    ]
    fits = bs.fit_many(tables * 2, models, seed=0)
    large = table[(table["width"] == 192) & (table["D"] == 32768)]
    truth = np.log(large["loss"]).mean()
    error, width = {}, {}
    for at, kind in enumerate(kinds):
        posts = list(fits)[at * len(tables) : (at + 1) * len(tables)]
        size = {"N": float(large["N"].iloc[0]), "D": 32768.0}
        draws = [np.log(one.predict(**size, force=True).draws) for one in posts]
        low, middle, high = np.transpose([np.quantile(d, [0.05, 0.5, 0.95]) for d in draws])
        error[kind] = np.sqrt(np.mean((middle - truth) ** 2))
        width[kind] = np.median(high - low)
    assert error["geometry"] < error["default"]
    assert width["geometry"] < 0.85 * width["default"]
