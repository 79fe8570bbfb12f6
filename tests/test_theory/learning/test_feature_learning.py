"""Trained features: the exact equations against the network, and the exponent in time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from theory.errors import TheoryError
from theory.learning import simulate
from theory.learning.feature_learning import (
    _finite,
    _integrate,
    infinite_width,
    kernel_rates,
    network_rates,
    reduced,
    train,
)
from theory.learning.regimes import regime
from theory.learning.spectrum import PowerLaw

INTEGRATED = 1e-3
"""Of Runge-Kutta steps of a quarter of the fastest rate, relative."""

HARD = [(1.4, 2.0), (2.0, 2.0), (2.6, 2.0)]
"""s = 0.2, 0.5, 0.8."""


def random_state(N=5, M=7, seed=0):
    keys = jax.random.split(jax.random.key(seed), 3)
    x = jnp.arange(1.0, M + 1) ** -1.5
    w, A = jax.random.normal(keys[0], (N,)), jax.random.normal(keys[1], (N, M))
    return (w, A), x, jax.random.normal(keys[2], (M,))


def test_the_rates_are_the_gradient_of_the_loss():
    (w, A), x, teacher = random_state()
    N, g = len(w), 0.7

    def half_loss(w, A):
        return jnp.sum(x * (teacher - w @ A / jnp.sqrt(1.0 * N)) ** 2) / 2

    dw, dA = jax.grad(half_loss, argnums=(0, 1))(w, A)
    got_w, got_A = network_rates((w, A), x, teacher, g)
    np.testing.assert_allclose(got_w, -dw, rtol=1e-12)
    np.testing.assert_allclose(got_A, -g * N * dA, rtol=1e-12)


def test_beta_kernel_and_growth_close_at_any_width():
    (w, A), x, teacher = random_state()
    N, g = len(w), 0.7

    def seen(w, A):
        return w @ A / jnp.sqrt(1.0 * N), A.T @ A / N, g * jnp.sum(w**2)

    moved = network_rates((w, A), x, teacher, g)
    _, want = jax.jvp(seen, (w, A), moved)
    got = kernel_rates(seen(w, A), x, teacher, g)
    for one, other in zip(got, want, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11)


def test_the_balance_of_the_layers_is_conserved():
    # d/dt (A A^T - g N w w^T) = 0
    (w, A), x, teacher = random_state()
    g, N = 0.7, len(w)
    _, change = jax.jvp(
        lambda w, A: A @ A.T - g * N * w[:, None] * w[None, :],
        (w, A),
        network_rates((w, A), x, teacher, g),
    )
    np.testing.assert_allclose(change, 0.0, atol=1e-12)


def test_a_lazy_network_is_the_random_feature_model():
    task, times = PowerLaw(1.6, 1.5, modes=30), [1.0, 10.0, 60.0]
    found = train(task, N=12, t=times, richness=0.0, draws=60)
    lazy = simulate.loss(task, N=12, t=times, draws=400)
    error = np.hypot(found.standard_error, lazy.standard_error)
    assert (np.abs(found.mean - lazy.mean) < 4 * error).all()


def test_an_isometric_projection_is_infinite_width():
    # A^T A/N = 1 with as many features as modes: the trajectories are the same.
    task, times = PowerLaw(1.6, 1.5, modes=12), [1.0, 5.0, 20.0]
    k = jnp.arange(1.0, 13.0)
    x, teacher = k**-1.5, jnp.sqrt(k**-0.1)
    start = (jnp.zeros(12), jnp.sqrt(12.0) * jnp.eye(12))
    loss, growth = _finite(start, x, teacher, jnp.asarray(times), 0.8)
    curve = infinite_width(task, times, richness=0.8)
    np.testing.assert_allclose(loss, curve.loss, rtol=INTEGRATED)
    np.testing.assert_allclose(growth, curve.growth, rtol=INTEGRATED)


def test_wide_networks_approach_infinite_width():
    task, times = PowerLaw(1.6, 1.5, modes=20), [3.0, 10.0]
    exact = infinite_width(task, times).loss
    off = [np.abs(train(task, N=N, t=times, draws=4).mean / exact - 1).max() for N in (20, 500)]
    assert off[1] < 0.1 < off[0]


def test_modes_of_one_eigenvalue_may_be_joined():
    # A compressed spectrum gives the curve of all its modes.
    times = [2.0, 20.0]
    joined = infinite_width(PowerLaw(1.6, 1.5, modes=120), times)
    k = np.arange(1.0, 121)
    x = jnp.asarray(k**-1.5)
    start = (jnp.zeros(120), jnp.eye(120), jnp.asarray(0.0))
    loss, _ = _integrate(
        lambda state: kernel_rates(state, x, jnp.asarray(np.sqrt(k**-0.1)), 1.0),
        lambda state: 1 + state[2] + 2 * jnp.sum(state[0] ** 2),
        lambda state: (jnp.sum(x * (jnp.asarray(np.sqrt(k**-0.1)) - state[0]) ** 2), state[2]),
        start,
        jnp.asarray(times),
    )
    assert len(PowerLaw(1.6, 1.5, modes=120).eigenvalues) < 120
    np.testing.assert_allclose(loss, joined.loss, rtol=INTEGRATED)


def test_without_richness_both_are_the_sum_over_modes():
    task, times = PowerLaw(2.0, 2.0, modes=300), np.array([3.0, 30.0])
    k = np.arange(1.0, 301)
    want = np.sum(k**-2 * np.exp(-2 * times[:, None] * k**-2), axis=1)
    np.testing.assert_allclose(reduced(task, times, richness=0.0).loss, want, rtol=1e-6)
    np.testing.assert_allclose(infinite_width(task, times, richness=0.0).loss, want, rtol=1e-3)


# --- the exponent in time


@pytest.mark.parametrize(("a", "b"), HARD)
def test_the_reduced_dynamics_have_the_improved_exponent_on_hard_tasks(a, b):
    chi = regime("rich_time_limited").exponents_at(a, b)["t"]
    lazy = regime("time_limited").exponents_at(a, b)["t"]
    assert chi == pytest.approx(2 * lazy / (1 + lazy))
    times = [1e9, 2e9]
    assert reduced(PowerLaw(a, b), times).slopes()[0] == pytest.approx(-chi, abs=2e-3)
    slow = reduced(PowerLaw(a, b), times, richness=0.0).slopes()[0]
    assert slow == pytest.approx(-lazy, abs=2e-3)


def test_on_easy_tasks_features_change_the_amplitude_only():
    task, times = PowerLaw(5.0, 2.0), [1e5, 2e5]
    rich, lazy = (reduced(task, times, richness=g) for g in (1.0, 0.0))
    assert rich.slopes()[0] == pytest.approx(-2.0, abs=2e-2)
    assert lazy.slopes()[0] == pytest.approx(-2.0, abs=2e-3)
    assert (rich.loss < lazy.loss / 2).all()


@pytest.mark.parametrize(
    ("a", "end"),
    [pytest.param(1.4, 80.0, id="s=0.2"), pytest.param(2.0, 160.0, id="s=0.5")],
)
def test_the_exact_network_beats_the_lazy_exponent_and_nears_the_improved_one(a, end):
    # At times that can be reached the slope is still on its way: within 5% of chi, far from s.
    task = PowerLaw(a, 2.0, modes=10**9, order=4)
    times = end * np.array([0.25, 0.5, 1.0])
    chi = regime("rich_time_limited").exponents_at(a, 2.0)["t"]
    lazy = regime("time_limited").exponents_at(a, 2.0)["t"]
    slopes = -infinite_width(task, times).slopes()
    assert lazy + 0.8 * (chi - lazy) < slopes[1] < chi
    assert slopes[1] > slopes[0]


# --- errors


@pytest.mark.parametrize(
    ("function", "options", "words"),
    [
        (reduced, {"t": [2.0, 1.0]}, "rising times above 0"),
        (reduced, {"t": [0.0, 1.0]}, "rising times above 0"),
        (reduced, {"richness": -1.0}, "richness must be finite and not negative; got -1.0"),
        (infinite_width, {"task": PowerLaw(1.5, 2.0)}, "give modes="),
        (train, {"N": 0}, "N must be a whole number of at least 1; got 0"),
        (train, {"N": 3, "draws": 1}, "at least 2"),
        (train, {"N": 3, "task": PowerLaw(1.5, 2.0)}, "Give modes="),
    ],
)
def test_each_mistake_has_its_sentence(function, options, words):
    given = {"task": PowerLaw(1.5, 2.0, modes=9), "t": [1.0]} | options
    with pytest.raises(TheoryError, match=words):
        function(given.pop("task"), **given)
