"""Ensembles, responses, edges of the spectrum, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory import dmft
from theory.errors import TheoryError
from theory.spectrum import PowerLaw

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
