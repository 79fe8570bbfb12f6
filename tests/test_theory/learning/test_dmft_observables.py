"""Ensembles, responses, edges of the spectrum, and what is refused."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.errors import TheoryError
from theory.learning import dmft
from theory.learning.spectrum import PowerLaw

oracles = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("dmft_oracles.py"))))

TASK = PowerLaw(a=1.5, b=1.25, modes=300)


def test_an_ensemble_lies_between_one_member_and_infinitely_many():
    ask = dict(N=40, P=60, t=30.0, noise=0.1)
    one = dmft.ensemble_loss(TASK, **ask, members=1).value
    many = dmft.ensemble_loss(TASK, **ask, members=np.inf).value
    cross = dmft.loss(TASK, **ask, observable="same_data").value
    assert many == cross
    assert dmft.ensemble_loss(TASK, **ask, members=4).value == pytest.approx(
        one / 4 + 0.75 * cross, rel=1e-12
    )
    assert many < one


def test_an_overlap_lies_between_disjoint_and_common_data():
    ask = dict(N=40, P=60, t=[30.0, np.inf], noise=0.1, members=4)
    for shared, common in (("nothing", "data"), ("projection", "everything")):
        ends = [dmft.ensemble_loss(TASK, **ask, shared=s).value for s in (shared, common)]
        part = [
            dmft.ensemble_loss(TASK, **ask, shared=shared, overlap=x).value for x in (0.0, 0.5, 1.0)
        ]
        np.testing.assert_allclose(part[0], ends[0], rtol=1e-12)
        np.testing.assert_allclose(part[2], ends[1], rtol=1e-12)
        assert np.all((part[0] < part[1]) & (part[1] < part[2]))


@pytest.mark.slow
def test_two_predictors_of_one_size_are_those_of_an_ensemble():
    t = np.array([0.0, 5.0, np.inf])
    ask = dict(N=40, P=60, t=t, noise=0.1)
    for same, common, observable in (
        *((False, 60, "same_data"), (False, 0, "nothing_shared")),
        *((True, 60, "test"), (True, 0, "same_projection")),
    ):
        want = dmft.loss(TASK, **ask, observable=observable, accuracy=1e-9).value
        got = dmft.cross_loss(TASK, **ask, common=common, same_projection=same)
        assert got.status == "ok"
        np.testing.assert_allclose(got.value, want, rtol=1e-8)


SIZES = {
    "own projections": (((60, 80), (100, 120)), 60, False),
    "one projection": (((80, 80), (80, 120)), 60, True),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SIZES)
def test_unlike_predictors_with_some_common_data_are_those_of_draws(name):
    sizes, common, same = SIZES[name]
    k, t = np.arange(1.0, 201.0), np.array([10.0, 1000.0])
    mean, error, _, _ = oracles.crossed(
        k**-1.25, k**-1.5, sizes, common=common, same_projection=same, noise=0.3, times=t,
        count=100, seed=1,
    )  # fmt: skip
    (N, P), (other_N, other_P) = sizes
    ask = dict(other_N=None if same else other_N, other_P=other_P, same_projection=same, noise=0.3)
    task = PowerLaw(a=1.5, b=1.25, modes=200)
    found, *others = (dmft.cross_loss(task, N, P, t, common=c, **ask).value for c in (common, 0, P))
    assert np.all(np.abs(mean - found) <= 4 * error + 3 * found / min(N, P))
    for other in others:  # no common examples, or all
        assert np.all(np.abs(mean - found) < np.abs(mean - other))


@pytest.mark.slow
def test_the_train_loss_of_an_ensemble_is_that_of_draws():
    k, t = np.arange(1.0, 201.0), np.array([10.0, 1000.0])
    _, _, mean, error = oracles.crossed(
        k**-1.25, k**-1.5, ((80, 120), (80, 120)), common=120, same_projection=False, noise=0.3,
        times=t, count=100, seed=1,
    )  # fmt: skip
    task = PowerLaw(a=1.5, b=1.25, modes=200)
    ask = dict(N=80, P=120, t=t, noise=0.3, observable="train")
    found = dmft.ensemble_loss(task, **ask, members=np.inf).value
    assert np.all(np.abs(mean - found) <= 4 * error + 3 * found / 80)
    assert np.all(found < dmft.ensemble_loss(task, **ask, members=1).value)


def test_a_loss_below_rounding_is_not_called_ok():
    # Fewer modes than both sizes: everything is learnt, at the end to exp(-4000).
    task = PowerLaw(a=1.5, b=1.25, modes=20)
    found = dmft.loss(task, 40, 60, [1e5, 3e5, 1e6])
    assert not found.ok.any()
    assert "lost in rounding" in found.status
    assert dmft.loss(task, 40, 60, noise=0.1).value == pytest.approx(0.1 / (1 - 20 / 60), rel=1e-9)


@pytest.mark.slow
def test_the_correlation_at_equal_times_is_the_loss():
    for kind in ("test", "train"):
        want = dmft.loss(TASK, 40, 60, [0.0, 3.0], noise=0.1, observable=kind, accuracy=1e-9).value
        t = np.array([0.0, 3.0])
        got = dmft.correlation(TASK, 40, 60, t=t, t_prime=t, noise=0.1, kind=kind)
        np.testing.assert_allclose(got, want, rtol=1e-8)
        start = dmft.correlation(TASK, 40, 60, t=[0.0, 1e-5], t_prime=9.0, noise=0.1, kind=kind)
        assert start[1] == pytest.approx(start[0], rel=1e-3)


def test_squares_of_mode_responses_are_the_bias():
    H = dmft.mode_response(TASK, np.arange(1, 301), N=40, P=60, t=7.0)
    bias = (np.arange(1.0, 301.0) ** -1.5 * H**2).sum()
    want = dmft.loss(TASK, 40, 60, 7.0, observable="nothing_shared").value
    assert bias == pytest.approx(want, rel=1e-6)
    assert dmft.mode_response(TASK, [2], N=40, P=60, t=0.0) == 1.0


def test_the_response_is_that_of_all_modes():
    # N = P = inf: df1(t) = sum lambda exp(-lambda t).
    lam = np.arange(1.0, 301.0) ** -1.25
    got = dmft.response(TASK, 1e12, 1e12, lag=2.0)
    assert got * -1e12 == pytest.approx((lam * np.exp(-2 * lam)).sum(), rel=1e-6)


def test_the_upper_edge_is_the_largest_z_left_of_the_spectrum():
    lam = np.arange(1.0, 301.0) ** -1.25
    kappa = -1 - np.geomspace(1e-3, 1e2, 20_001)
    df1 = (lam / (lam + kappa[:, None])).sum(axis=1)
    z = kappa * (1 - df1 / 100) * (1 - df1 / 200)
    low, high = dmft.stability_edge(TASK, 100, 200)
    assert high == pytest.approx(-z.max(), rel=1e-6)
    assert low > 0
    assert dmft.stability_edge(TASK, 100, 100)[0] == pytest.approx(0.0, abs=1e-9)
    assert dmft.stability_edge(TASK, np.inf, np.inf)[1] == 1.0


def test_edges_are_those_of_draws_on_average():
    rng, lam, found = np.random.default_rng(0), np.arange(1.0, 301.0) ** -1.25, []
    for _ in range(20):
        A, psi = rng.standard_normal((100, 300)), rng.standard_normal((200, 300)) * np.sqrt(lam)
        phi = psi @ A.T / 10
        values = np.linalg.eigvalsh(phi.T @ phi / 200)
        found.append([values.min(), values.max()])
    # The mean of the largest lies below the edge by the width of its own scatter.
    low, high = np.mean(found, axis=0)
    edges = dmft.stability_edge(TASK, 100, 200)
    assert 0.7 * edges[0] < low < 1.4 * edges[0]
    assert 0.6 * edges[1] < high < 1.1 * edges[1]


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (dict(N=0.5), "N must be"),
        (dict(P=np.nan), "P must be"),
        (dict(t=-1.0), "t must be"),
        (dict(N="many"), "N must be"),
        (dict(noise=-0.1), "noise must be"),
        (dict(noise=np.inf), "noise must be"),
        (dict(N=50, P=50, noise=0.1), "loss is infinite"),
        (dict(N=[1, 2], P=[1, 2, 3]), "must broadcast"),
        (dict(observable="tset"), "Did you mean 'test'"),
        (dict(accuracy=1e-15), "accuracy must be"),
        (dict(N=40, P=60, t=5.0, dynamics=dmft.GradientDescent(1.9)), "edge of stability"),
        (dict(N=40, P=60, t=5.5, dynamics=dmft.GradientDescent(0.1)), "must be whole"),
        (dict(t=5.0, dynamics=dmft.GradientDescent(-0.1)), "learning_rate must be"),
        (dict(t=5.0, dynamics=dmft.HeavyBall(0.1, 1.0)), "momentum must be"),
        (dict(t=5.0, dynamics=dmft.Schedule([-0.1])), "learning_rates must be"),
        (dict(dynamics=dmft.Ridge(-1.0)), "penalty must be"),
        (dict(t=5.0, dynamics=dmft.StochasticGradientDescent(0.1, 0)), "batch must be"),
        (dict(P=9, t=5.0, dynamics=dmft.StochasticGradientDescent(0.1, 8)), "there is no P"),
    ],
)
def test_a_question_without_an_answer_is_refused(ask, says):
    with pytest.raises(TheoryError, match=says):
        dmft.loss(TASK, **ask)


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (dict(members=0.5), "members must be"),
        (dict(members=2, shared="date"), "Did you mean 'data'"),
        (dict(members=2, overlap=0.5), "have all data in common"),
        (dict(members=2, shared="nothing", overlap=1.5), "from 0 to 1; got 1.5"),
        (dict(members=2, shared="nothing", observable="train"), "no training set in common"),
        (dict(members=2, observable="gap"), "must be 'test' or 'train'"),
    ],
)
def test_an_ensemble_that_cannot_be_is_refused(ask, says):
    with pytest.raises(TheoryError, match=says):
        dmft.ensemble_loss(TASK, 40, 60, 5.0, **ask)


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (dict(common=70), "at most P and other_P; got 70"),
        (dict(common=-1), "common must be"),
        (dict(other_N=30, same_projection=True), "have one N"),
        (dict(other_P=[1.0, 2.0], other_N=[1.0, 2.0, 3.0]), "must broadcast"),
    ],
)
def test_predictors_that_cannot_be_are_refused(ask, says):
    with pytest.raises(TheoryError, match=says):
        dmft.cross_loss(TASK, 40, 60, 5.0, **ask)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    a=st.floats(1.05, 4.0),
    b=st.floats(1.05, 3.0),
    sizes=st.lists(st.floats(0.0, 6.0), min_size=2, max_size=2),
    log_t=st.floats(-3.0, 8.0),
    noise=st.floats(0.0, 2.0),
)
def test_nothing_negative_or_nan_is_called_ok(a, b, sizes, log_t, noise):
    # One spectrum's shape for all, so that one program serves them.
    task = PowerLaw(a, b, modes=4096, order=8)
    N, P = (10.0**x for x in sizes)
    found = dmft.loss(task, N, P, 10.0**log_t, noise=noise)
    assert np.all((found.value > 0) | ~found.ok)
    assert np.all(np.isfinite(found.value) | ~found.ok)
