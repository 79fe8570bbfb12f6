"""What six isoFLOP minima say of the runs that followed, and what the published forecasts said."""

import functools

import numpy as np
import pytest
from scipy.optimize import curve_fit

import bayescale as bs
from bayescale.runs.datasets import cards

LATER = {1e21: 2.599, 1e23: 2.234}
"""Compute in FLOP -> loss measured after the forecasts."""

ROUNDED = 0.0015
"""How far refitted forecasts may be from the published ones, whose minima had more digits."""

COUNTS = [3, 4, 5, 6]
SLOWLY = [*(pytest.param(count, marks=pytest.mark.slow) for count in COUNTS[:-1]), COUNTS[-1]]

# The gate warns of minima that move the posterior by themselves, as any of so few do.
pytestmark = pytest.mark.filterwarnings("ignore::bayescale.errors.DiagnosticsWarning")


@functools.cache
def smallest(count: int) -> bs.Runs:
    runs = bs.load("marin_ladder")
    return runs.select(runs.column("C") <= np.sort(runs.column("C"))[count - 1])


@functools.cache
def posterior(count: int) -> bs.Posterior:
    return bs.fit(smallest(count), law="power_C", seed=0)


@functools.cache
def forecasts(count: int) -> np.ndarray:
    """5, 50 and 95% quantiles of the losses of the later runs, shape (run, quantile)."""
    found = posterior(count).predict(C=list(LATER), noise=True).summary()
    return found[["q05", "q50", "q95"]].to_numpy()


def test_the_minima_are_fitted_and_the_later_runs_are_not() -> None:
    minima, later = bs.load("marin_ladder"), bs.load("marin_ladder", table="later")
    assert (len(minima), len(later)) == (6, 2)
    assert minima.column("C").max() < later.column("C").min()
    np.testing.assert_array_equal(later.loss, list(LATER.values()))
    np.testing.assert_array_equal(later.column("C"), list(LATER))


@pytest.mark.parametrize("count", COUNTS)
def test_the_published_pinned_fits_come_from_these_minima(count: int) -> None:
    runs = smallest(count)
    published = cards()["marin_ladder"].published[f"pinned_{count}"]
    values = published["parameters"]

    def pinned(log_c: np.ndarray, log_a: float, alpha: float) -> np.ndarray:
        return values["E"] + np.exp(log_a - alpha * log_c)

    found, _ = curve_fit(pinned, np.log(runs.column("C")), runs.loss, p0=(4.5, 0.1))
    assert np.exp(found[0]) == pytest.approx(values["A"], rel=0.01)
    assert found[1] == pytest.approx(values["alpha"], abs=3e-4)
    for compute, loss in published["forecasts"].items():
        assert pinned(np.log(float(compute)), *found) == pytest.approx(loss, abs=ROUNDED)


@pytest.mark.parametrize("count", SLOWLY)
def test_ninety_percent_intervals_contain_the_runs_that_followed(count: int) -> None:
    low, _, high = forecasts(count).T
    for below, loss, above in zip(low, LATER.values(), high, strict=True):
        assert below < loss < above


def test_six_minima_forecast_to_within_half_a_percent() -> None:
    median = forecasts(6)[:, 1]
    np.testing.assert_allclose(median, list(LATER.values()), rtol=0.005)
    width = np.ptp(forecasts(6), axis=1)
    assert width[0] < 0.06
    assert 0.08 < width[1] < 0.2
    floor = posterior(6).summary().loc["E"]
    assert floor["q05"] < 1.6 < floor["q95"]


@pytest.mark.slow
def test_each_further_minimum_narrows_the_forecast() -> None:
    widths = np.array([np.ptp(forecasts(count), axis=1) for count in COUNTS])
    assert (np.diff(widths, axis=0) < 0).all()
