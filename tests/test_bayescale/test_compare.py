"""Scores on held-out runs."""

import numpy as np
import pytest
from scipy import stats

import bayescale as bs
from bayescale.compare import hold_out
from bayescale.errors import RunsError, UsageError


def test_the_log_score_is_the_mixture_of_the_draws(ladder: bs.Posterior) -> None:
    runs = _new_runs(ladder)
    score = hold_out(ladder, runs)
    draws = {name: ladder.draws[name].to_numpy().ravel() for name in ladder.draws}
    mean = np.log(
        draws["E"]
        + draws["A"] * runs.column("N")[:, None] ** -draws["alpha"]
        + draws["B"] * runs.column("D")[:, None] ** -draws["beta"]
    )
    density = stats.t(draws["nu"], mean, draws["sigma"]).pdf(np.log(runs.loss)[:, None])
    assert score.log_score == pytest.approx(np.log(density.mean(axis=1)).mean(), rel=1e-10)
    error = np.median(mean, axis=1) - np.log(runs.loss)
    # The predicted median includes simulated noise; its Monte Carlo error is small beside 1%.
    assert score.rmse == pytest.approx(np.sqrt(np.mean(error**2)), rel=0.1)
    assert score.n_runs == len(runs)


def test_runs_from_the_fitted_law_are_covered(ladder: bs.Posterior) -> None:
    score = hold_out(ladder, _new_runs(ladder, count=400))
    # Binomial error of 400 runs at 0.9 is 0.015.
    assert 0.84 < score.coverage < 0.96


def test_nothing_held_out_is_an_error(ladder: bs.Posterior) -> None:
    runs = _new_runs(ladder)
    with pytest.raises(RunsError, match="no run is held out"):
        hold_out(ladder, runs.select(np.zeros(len(runs), dtype=bool)))


def test_given_draws_score_nothing(ladder: bs.Posterior) -> None:
    given = bs.Posterior.from_draws(
        "power_D", {"E": np.ones(3), "A": np.ones(3), "alpha": np.full(3, 0.3)}
    )
    with pytest.raises(UsageError, match="without a likelihood"):
        hold_out(given, _new_runs(ladder))


def _new_runs(post: bs.Posterior, count: int = 30) -> bs.Runs:
    assert post.model is not None
    rng = np.random.default_rng(5)
    design = {
        "N": 1e8 * np.exp(rng.uniform(-3, 3, count)),
        "D": 1e10 * np.exp(rng.uniform(-3, 3, count)),
    }
    at = {name: float(post.draws[name].median()) for name in post.model.priors.table}
    return post.model.simulate(design, seed=6, coordinates=at).runs
