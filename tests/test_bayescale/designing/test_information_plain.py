"""The matrix products of `LinearGaussian.gains` against the formula, point by point, on laws."""

import math

import numpy as np
import pytest

from bayescale import cost as costs
from bayescale.designing.information import LinearGaussian, best_batch, mean_gains, start_of
from bayescale.designing.linearised import linearise
from bayescale.models.model import Model
from bayescale.planning.budget_line import BudgetLine
from bayescale.posteriors.before_runs import prior_posterior

POINTS, DRAWS = 60, 6


class Plain(LinearGaussian):
    """The same model, its gains by the formula at the head of the module."""

    def gains(self, covariance: np.ndarray) -> np.ndarray:
        out = np.zeros(self.noise.shape)
        for draw, (V, g) in enumerate(zip(covariance, self.gradient, strict=True)):
            M = g @ V @ g.T
            for point, (j, r) in enumerate(zip(self.slopes[draw], self.noise[draw], strict=True)):
                a = g @ V @ j
                out[draw, point] = -0.5 * np.log1p(-a @ np.linalg.solve(M, a) / (r + j @ V @ j))
        return out


def views_of(law: str, seed: int) -> tuple[LinearGaussian, np.ndarray]:
    model = Model.at(law, pivot={"N": 3e7, "D": 1e9}, level=3.3, likelihood="normal", drift=None)
    post = prior_posterior(model, draws=DRAWS, seed=seed)
    line = BudgetLine(costs.get("6ND"))
    (local,) = linearise(post, line, math.log(1e23), draws=DRAWS, seed=seed)
    rng = np.random.default_rng(seed)
    logs = {"N": rng.uniform(15, 21, POINTS), "D": rng.uniform(18, 24, POINTS)}
    return LinearGaussian.of(local, logs), np.exp(costs.get("6ND").log_cost(logs))


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("law", ["chinchilla", "share", "kaplan"])
def test_gains_and_the_batch_chosen_are_those_of_the_formula(law: str, seed: int) -> None:
    view, prices = views_of(law, seed)
    plain = Plain(view.slopes, view.noise, view.covariance, view.gradient)
    begin = start_of([view])
    np.testing.assert_allclose(
        mean_gains([view], begin), mean_gains([plain], begin), rtol=1e-10, atol=1e-14
    )
    limits = {"budget": 1e19, "max_runs": 6}
    found = best_batch([view], begin, prices, **limits)
    assert found.chosen == best_batch([plain], begin, prices, **limits).chosen
    assert len(found.chosen) > 1
