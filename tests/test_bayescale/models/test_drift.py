"""Drift: nothing within the runs, a random slope beyond."""

from dataclasses import replace

import numpy as np
import pytest

import bayescale as bs
from bayescale.distributions.prior import Prior
from bayescale.errors import DiagnosticsWarning, UsageError
from bayescale.models.drift import RATE, Drift, beyond
from bayescale.models.model import Model


def test_distance_is_the_farthest_of_each_size_and_their_product() -> None:
    seen = {"N": np.array([0.0, 2.0]), "D": np.array([3.0, 1.0])}
    at = {"N": np.array([1.0, 2.0, 5.0, 2.0, -1.0]), "D": np.array([2.0, 3.0, 1.0, 2.9, 1.5])}
    # Products of the runs span 3 to 3 (in logs): 0 + 3 and 2 + 1.
    want = [0.0, 2.0, 3.0, 1.9, 2.5]
    np.testing.assert_allclose(beyond(seen, at, ["N", "D"]), want)
    np.testing.assert_allclose(beyond(seen, at, ["N"]), [0.0, 0.0, 3.0, 0.0, 1.0])


def test_the_shift_has_the_declared_spread_and_one_direction_a_draw() -> None:
    sigma = np.full((40_000, 1), 0.01)
    distance = np.array([0.0, 1.0, 3.0])
    shift = Drift(Prior.fixed(2.0)).shift(sigma, distance, seed=0)
    # k sigma g z; the sd of a sd over 40,000 draws is 0.35%.
    np.testing.assert_allclose(shift.std(axis=0), [0.0, 0.02, 0.06], rtol=0.02)
    np.testing.assert_allclose(shift[:, 2], 3 * shift[:, 1])
    np.testing.assert_array_equal(shift, Drift(Prior.fixed(2.0)).shift(sigma, distance, seed=0))
    # A random rate: E k^2 = exp(2 mu + 2 s^2).
    spread = Drift().shift(sigma, distance[1:2], seed=1).std()
    assert spread == pytest.approx(0.01 * np.exp(0.5**2), rel=0.03)


def test_predictions_drift_beyond_the_runs_and_only_there(ladder: bs.Posterior) -> None:
    assert ladder.runs is not None
    inside = {name: [float(np.exp(np.log(ladder.runs[name]).mean()))] for name in ("N", "D")}
    law = ladder.predict(drift=False, **inside)
    np.testing.assert_array_equal(ladder.predict(**inside).draws, law.draws)
    far = {name: [20 * float(ladder.runs[name].max())] for name in ("N", "D")}
    with pytest.warns(DiagnosticsWarning, match="times the largest run"):
        law, both, again = (ladder.predict(drift=d, **far) for d in (False, True, True))
    assert np.log(both.draws).std() > 1.2 * np.log(law.draws).std()
    np.testing.assert_array_equal(both.draws, again.draws)


def test_a_plan_carries_the_drift_in_its_loss_and_not_in_its_sizes(ladder: bs.Posterior) -> None:
    assert ladder.model is not None
    exact = replace(ladder, model=replace(ladder.model, drift=None))
    drifting, plain = (bs.plan(post, compute=1e24) for post in (ladder, exact))
    np.testing.assert_array_equal(drifting.resources["N"], plain.resources["N"])
    assert np.log(drifting.loss).std() > 1.2 * np.log(plain.loss).std()


def test_a_saved_posterior_keeps_its_drift(ladder: bs.Posterior, tmp_path) -> None:
    assert ladder.model is not None
    assert ladder.model.drift == Drift()
    for drift in (None, Drift(Prior.around(3.0, 0.2))):
        post = replace(ladder, model=replace(ladder.model, drift=drift))
        loaded = bs.Posterior.load(post.save(tmp_path / "fit.nc"))
        assert loaded.model is not None
        assert loaded.model.drift == drift


def test_draws_made_elsewhere_do_not_drift() -> None:
    post = bs.Posterior.from_draws("power", {"E": [1.7], "A": [100.0], "alpha": [0.3]})
    loss = post.predict(N=1e9).draws[0, 0]
    assert loss == pytest.approx(1.7 + 100.0 * 1e9**-0.3, rel=1e-12)


def test_fit_takes_a_drift_or_none() -> None:
    model = Model.at("power", pivot={"N": 1e8})
    assert model.drift == Drift(RATE)
    assert Model.at("power", pivot={"N": 1e8}, drift=None).drift is None
    again = Model.from_dict(model.to_dict())
    assert again.drift == model.drift


def test_a_rate_that_may_be_negative_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^the rate of a drift is not negative, but Prior"):
        Drift(Prior("Normal", mu=1.0, sigma=1.0))
