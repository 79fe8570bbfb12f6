"""Drift: nothing within the runs, a random slope beyond."""

from dataclasses import replace

import numpy as np
import pytest

import bayescale as bs
from bayescale.distributions.prior import Prior
from bayescale.errors import DiagnosticsWarning, UsageError
from bayescale.models.drift import Drift, beyond, largest_product, tilted
from bayescale.models.drift_reference import LIKE, ONE_SIZE, drift_of, reference_drift
from bayescale.models.model import Model
from theory import laws


def test_distance_is_the_farthest_of_each_size_and_their_product() -> None:
    seen = {"N": np.array([0.0, 2.0]), "D": np.array([3.0, 1.0])}
    at = {"N": np.array([1.0, 2.0, 5.0, 2.0, -1.0]), "D": np.array([2.0, 3.0, 1.0, 2.9, 1.5])}
    # Products of the runs span 3 to 3 (in logs): 0 + 3 and 2 + 1.
    want = [0.0, 2.0, 3.0, 1.9, 2.5]
    np.testing.assert_allclose(beyond(seen, at, ["N", "D"]), want)
    np.testing.assert_allclose(beyond(seen, at, ["N"]), [0.0, 0.0, 3.0, 0.0, 1.0])


def test_drifts_have_the_declared_spread_lean_and_tilt() -> None:
    sigma = np.full((40_000, 1), 0.01)
    drift = Drift(Prior.fixed(0.02), power=0.5, at=0.04, lean=Prior.fixed(-0.5), tilt=0.1, own=0.3)
    found = drift.draw(sigma, seed=0)
    # kappa = 0.02 sqrt(0.01/0.04); the sd of a sd over 40,000 draws is 0.35%.
    np.testing.assert_allclose(found.scale, 0.01)
    assert found.slope.std() == pytest.approx(0.01, rel=0.02)
    assert found.slope.mean() == pytest.approx(-0.005, abs=4 * 0.01 / 200)
    assert found.tilt.std() == pytest.approx(0.1, rel=0.02)
    np.testing.assert_allclose(found.own, 0.003)
    np.testing.assert_array_equal(found.slope, drift.draw(sigma, seed=0).slope)
    # A random scale: E kappa^2 = exp(2 mu + 2 s^2).
    random = Drift.in_noise(Prior.around(1.0, 0.5)).draw(sigma, seed=1)
    assert random.slope.std() == pytest.approx(0.01 * np.exp(0.5**2), rel=0.03)


def test_a_tilt_moves_the_ratio_of_sizes_beyond_the_largest_product_only() -> None:
    seen = {"N": np.array([0.0, 2.0]), "D": np.array([3.0, 1.0])}
    top = largest_product(seen, ["N", "D"])
    assert top == 3.0
    at = {"N": np.array([[1.0, 3.0]]), "D": np.array([[1.0, 2.0]]), "U": np.array([[5.0, 5.0]])}
    moved = tilted(at, ["N", "D"], np.array([[0.1], [-0.2]]), top, np)
    np.testing.assert_allclose(moved["N"], [[1.0, 3.2], [1.0, 2.6]])
    np.testing.assert_allclose(moved["D"], [[1.0, 1.8], [1.0, 2.4]])
    np.testing.assert_allclose(moved["N"] + moved["D"], np.broadcast_to([2.0, 5.0], (2, 2)))
    assert moved["U"] is at["U"]
    assert tilted({"N": at["N"]}, ["N"], 0.1, top, np)["N"] is at["N"]


def test_runs_beyond_scatter_each_on_its_own_within_they_do_not(ladder: bs.Posterior) -> None:
    assert ladder.runs is not None
    rows = {name: np.log(ladder.runs[name].to_numpy())[None] for name in ("N", "D")}
    assert not np.any(ladder.log_scatter(rows, np.random.default_rng(0)))
    far = {name: np.full((1, 2), row.max() + 2.0) for name, row in rows.items()}
    scatter = ladder.log_scatter(far, np.random.default_rng(0))
    assert abs(np.corrcoef(scatter.T)[0, 1]) < 0.1
    assert ladder.drifts is not None
    assert ladder.seen is not None
    away = beyond(ladder.seen, far, ["N", "D"])[0, 0]
    want = away * np.sqrt(np.mean(ladder.drifts.own**2))
    assert scatter.std() == pytest.approx(want, rel=0.1)


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


def test_a_plan_carries_the_drift_in_its_loss_and_the_tilt_in_its_sizes(
    ladder: bs.Posterior,
) -> None:
    assert ladder.model is not None
    assert ladder.runs is not None
    assert ladder.model.drift is not None
    exact = replace(ladder, model=replace(ladder.model, drift=None))
    drifting, plain = (bs.plan(post, compute=1e24) for post in (ladder, exact))
    assert np.log(drifting.loss).std() > 1.2 * np.log(plain.loss).std()
    # C = 6 N D: log N* moves by -t G, and the least loss of the law stays.
    ahead = np.log(1e24 / 6) - np.log(ladder.runs["N"] * ladder.runs["D"]).max()
    moved = np.log(drifting.resources["N"] / plain.resources["N"])[:, 0]
    np.testing.assert_allclose(moved, -ladder.tilt[0][:, 0] * ahead, atol=1e-9)
    np.testing.assert_allclose(drifting.frontier.least, plain.frontier.least, rtol=1e-12)
    slope = replace(ladder.model.drift, tilt=0.0)
    upright = bs.plan(replace(ladder, model=replace(ladder.model, drift=slope)), compute=1e24)
    np.testing.assert_array_equal(upright.resources["N"], plain.resources["N"])


def test_the_search_along_the_line_finds_the_tilted_optimum(ladder: bs.Posterior) -> None:
    # A cap that does not bind takes the closed form away, and nothing else.
    closed = bs.plan(ladder, compute=1e24)
    limits = bs.Limits(N_max=1e30, D_max=1e30)
    searched = bs.plan(ladder, compute=1e24, limits=limits, inference_tokens=1.0)
    np.testing.assert_allclose(
        np.log(searched.resources["N"]), np.log(closed.resources["N"]), atol=1e-4
    )


def test_a_saved_posterior_keeps_its_drift(ladder: bs.Posterior, tmp_path) -> None:
    assert ladder.model is not None
    assert ladder.model.drift == reference_drift(ladder.law)
    for drift in (None, Drift(Prior.around(0.03, 0.2), power=0.5, at=0.01, tilt=0.2)):
        post = replace(ladder, model=replace(ladder.model, drift=drift))
        loaded = bs.Posterior.load(post.save(tmp_path / "fit.nc"))
        assert loaded.model is not None
        assert loaded.model.drift == drift


def test_draws_made_elsewhere_do_not_drift() -> None:
    post = bs.Posterior.from_draws("power", {"E": [1.7], "A": [100.0], "alpha": [0.3]})
    loss = post.predict(N=1e9).draws[0, 0]
    assert loss == pytest.approx(1.7 + 100.0 * 1e9**-0.3, rel=1e-12)


def test_a_model_has_the_drift_of_its_laws_reference_class() -> None:
    one, two = (Model.at(law, pivot={"N": 1e8, "D": 1e9}) for law in ("power", "share"))
    assert one.drift == Drift.in_noise(Prior.around(1.0, 0.5))
    assert two.drift == reference_drift(two.law) != one.drift
    assert drift_of(two.law, "reference") == two.drift
    assert Model.at("share", pivot={"N": 1e8, "D": 1e9}, drift=None).drift is None
    for model in (one, two):
        assert Model.from_dict(model.to_dict()).drift == model.drift
    # One without an entry has that of the additive law.
    assert Model.at("gadre", pivot={"N": 1e8, "D": 1e9}).drift == reference_drift(laws.get(LIKE))
    assert ONE_SIZE not in laws.catalogue()


def test_a_drift_saved_by_version_0_1_is_in_units_of_the_noise() -> None:
    saved = {"rate": Prior.around(1.0, 0.5).to_dict()}
    assert Drift.from_dict(saved) == Drift.in_noise(Prior.around(1.0, 0.5))


@pytest.mark.parametrize("law", ["share", "chinchilla"])
def test_the_reference_leans_down_and_is_a_percent_or_so_an_e_fold(law: str) -> None:
    drift = reference_drift(laws.get(law))
    scale = drift.scale.scipy()
    assert 0.004 < scale.median() < 0.03
    assert scale.ppf(0.95) > 1.5 * scale.median()  # tables differ
    assert drift.lean.arguments["value"] < 0
    assert drift.tilt > 0.1


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"scale": Prior("Normal", mu=1.0, sigma=1.0)}, "the scale of a drift is not negative"),
        ({"scale": Prior.fixed(0.1), "at": 0.0}, "at= is a noise scale, .* up to 100; got 0"),
        ({"scale": Prior.fixed(0.1), "tilt": -1.0}, "tilt= of a drift is from 0 to 100; got -1"),
    ],
)
def test_a_drift_that_is_none_is_refused(given, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Drift(**given)


def test_what_is_no_drift_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^drift= is a bayescale.Drift, 'reference' .*'none'"):
        Model.at("power", pivot={"N": 1e8}, drift="none")
