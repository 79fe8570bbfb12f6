"""The least loss at equal compute: exponents of trained and of fixed features, and networks."""

import numpy as np
import pytest

from theory.errors import TheoryError
from theory.learning import dmft
from theory.learning.feature_learning import train
from theory.learning.regimes import regime
from theory.learning.rich_frontier import frontier
from theory.learning.spectrum import PowerLaw

NEAR, SIZE = 2e-3, 1e-2
"""Slopes of the least loss and of its width at budgets of 1e16: what corrections to scaling, and
the parabolas, leave."""


@pytest.mark.slow
@pytest.mark.parametrize(("a", "b"), [(1.4, 2.0), (2.0, 2.0)])
def test_at_equal_compute_trained_features_have_the_better_exponent(a, b):
    budgets = [1e15, 1e17]
    slopes = {}
    for richness, name in ((0.0, "compute_optimal"), (1.0, "rich_compute_optimal")):
        found = frontier(PowerLaw(a, b), budgets, richness=richness)
        slopes[name] = found.slopes()[0]
        want = regime(f"{name}_loss").exponents_at(a, b)["C"]
        assert slopes[name] == pytest.approx(-want, abs=NEAR)
        size = np.log(found.N[1] / found.N[0]) / np.log(100)
        assert size == pytest.approx(-regime(f"{name}_size").exponents_at(a, b)["C"], abs=SIZE)
        np.testing.assert_allclose(found.N * found.t, budgets, rtol=1e-12)
    assert slopes["rich_compute_optimal"] < slopes["compute_optimal"] - 20 * NEAR


def test_the_lazy_frontier_is_the_least_loss_of_the_solver():
    task, C = PowerLaw(1.5, 1.5), 1e6
    found = frontier(task, [C], richness=0.0)
    N = found.N[0] * np.geomspace(0.9, 1.1, 41)
    least = dmft.loss(task, N, t=C / N).value.min()
    assert found.loss[0] == pytest.approx(least, rel=1e-4)


@pytest.mark.slow
def test_a_trained_network_beats_a_lazy_one_at_the_same_compute():
    # The best of a few widths, each of all the compute there is.
    task, C = PowerLaw(1.4, 2.0, modes=120), 600.0
    best = {}
    for richness in (0.0, 1.0):
        runs = [train(task, N=N, t=[C / N], richness=richness, draws=6) for N in (6, 12, 24, 48)]
        least = min(runs, key=lambda run: run.mean[0])
        best[richness] = least.mean[0], least.standard_error[0]
    gap = best[0.0][0] - best[1.0][0]
    assert gap > 4 * np.hypot(best[0.0][1], best[1.0][1])


@pytest.mark.parametrize(
    ("compute", "says"),
    [
        ([1e6, 1e5], "rising budgets"),
        ([10.0], "of at least 100"),
        ([np.inf], "finite, rising budgets"),
    ],
)
def test_a_budget_without_a_frontier_is_refused(compute, says):
    with pytest.raises(TheoryError, match=says):
        frontier(PowerLaw(1.5, 2.0), compute)
