r"""Trained features: a two-layer linear network, its reduced dynamics, and its exponent in time.

The student is ``f(psi) = w . A psi/sqrt(N)`` with infinitely many samples, started at w = 0 and A
standard normal. Gradient flow with a projection that learns at its own scale, the richness g
(mean-field scaling: of order 1 at any width; 0 is the lazy model of `theory.learning.simulate`):

    dw/dt = A Lambda v/sqrt(N),    dA/dt = g sqrt(N) w (Lambda v)^T,    v = w* - A^T w/sqrt(N).

**Exact** for any N: with ``beta = A^T w/sqrt(N)``, ``K = A^T A/N`` and ``u = g |w|^2``,

    beta' = (K + u) Lambda v,    K' = g [Lambda v beta^T + beta (Lambda v)^T],
    u' = 2 g beta.Lambda v,

so width enters through K(0) only, which is the identity at infinite width (`infinite_width`), and
``A A^T - g N w w^T`` is conserved.

**Heuristic**: the reduced dynamics (`reduced`) drop the growth of K, which is along the learned
direction, and keep that of u, which speeds all modes up alike,

    tau' = 1 + u,    u' = 2 g sum_k p_k e_k (1 - e_k),    L = sum_k p_k e_k^2,
    e_k = e^(-lambda_k tau).

(At late times e_k^2 only changes an amplitude of u', so that ``u' = 2 g sum p e^(-lambda tau)`` has
the same exponents.) On hard tasks, s = (a-1)/b < 1, ``u' ~ tau^-s`` gives ``tau ~ t^(2/(1+s))`` and
``L ~ t^-chi`` with ``chi = s max(1, 2/(1+s))``; on easy tasks u stays bounded and chi = s.

Source: Bordelon, Atanasov, Pehlevan 2024, arXiv:2409.17858 (the exponent; the equations here are
derived from the network above, not copied).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float64

from theory.errors import TheoryError
from theory.learning.simulate.averaged import Simulated, summarise
from theory.learning.simulate.modes import every_mode
from theory.learning.task import AbstractTask

State = tuple[Array, ...]
"""What moves in time: ``(w, A)``, or ``(beta, K, u)``."""

STEP = 0.25
"""Length of the Runge-Kutta steps, in units of the inverse of the fastest rate."""


@final
@dataclass(frozen=True, eq=False)
class Curve:
    """A training curve.

    Parameters
    ----------
    times
        As asked for, (time,).
    loss
        ``E (y - f)^2``, (time,).
    growth
        ``u = g |w|^2``: how much faster than the lazy model the modes learn, (time,).
    """

    times: Float64[np.ndarray, " time"]
    loss: Float64[np.ndarray, " time"]
    growth: Float64[np.ndarray, " time"]

    def slopes(self) -> Float64[np.ndarray, " interval"]:
        """``d log loss/d log t`` between successive times."""
        return np.diff(np.log(self.loss)) / np.diff(np.log(self.times))


def reduced(task: AbstractTask, t: Sequence[float] | np.ndarray, *, richness: float = 1.0) -> Curve:
    """The reduced dynamics: two numbers, tau and u, whatever the number of modes.

    Parameters
    ----------
    task
        Any task of `theory.learning.spectrum`, also with infinitely many modes.
    t
        Rising times above 0.
    richness
        g; 0 is the lazy model.

    Raises
    ------
    TheoryError
        If an argument is out of its range, or the integration fails.

    Examples
    --------
    >>> from theory.learning.spectrum import PowerLaw
    >>> lazy, rich = (reduced(PowerLaw(2.0, 2.0), [1e5, 2e5], richness=g) for g in (0.0, 1.0))
    >>> lazy.slopes().round(2).tolist(), rich.slopes().round(2).tolist()
    ([-0.5], [-0.67])
    """
    times = _checked(t, richness)
    tau, growth = clock(task, times, richness=richness)
    with jax.enable_x64(True):
        x, p = np.asarray(task.eigenvalues), np.asarray(task.counts * task.powers)
    return Curve(times, np.sum(p * np.exp(-2 * x * tau[:, None]), axis=1), growth)


def clock(
    task: AbstractTask, t: Sequence[float] | np.ndarray, *, richness: float = 1.0
) -> tuple[Float64[np.ndarray, " time"], Float64[np.ndarray, " time"]]:
    """``tau(t)``, the time a lazy model needs to get as far, and ``u(t)``, by reduced dynamics.

    Parameters
    ----------
    task, t, richness
        As of `reduced`.

    Raises
    ------
    TheoryError
        As of `reduced`.

    Examples
    --------
    >>> from theory.learning.spectrum import PowerLaw
    >>> tau, _ = clock(PowerLaw(2.0, 2.0), [1.0, 100.0], richness=0.0)
    >>> tau.round(6).tolist()
    [1.0, 100.0]
    """
    from scipy.integrate import solve_ivp

    times = _checked(t, richness)
    with jax.enable_x64(True):
        x, p = np.asarray(task.eigenvalues), np.asarray(task.counts * task.powers)

    def rates(log_t: float, state: np.ndarray) -> list[float]:
        # In log t, so that ten decades are as easy as one.
        left = np.exp(-x * state[0])
        source = 2 * richness * float(np.sum(p * left * -np.expm1(-x * state[0])))
        return [math.exp(log_t) * (1 + state[1]), math.exp(log_t) * source]

    # Before `begin` nothing is learned: tau = t, u = g t^2 sum p lambda.
    begin = 1e-4 * min(1.0, times[0])
    found = solve_ivp(
        rates,
        (math.log(begin), math.log(times[-1])),
        [begin, richness * begin**2 * float(np.sum(p * x))],
        t_eval=np.log(times),
        method="LSODA",
        rtol=1e-9,
        atol=1e-14,
    )
    if not found.success or found.y.shape[1] != len(times):
        raise TheoryError(f"the reduced dynamics could not be integrated: {found.message}")
    return found.y[0], found.y[1]


def infinite_width(
    task: AbstractTask, t: Sequence[float] | np.ndarray, *, richness: float = 1.0
) -> Curve:
    """The network at infinite width, by the exact equations in beta, K and u.

    Modes with the same eigenvalue rotate into one of their total power, so a node of the task that
    stands for many modes is integrated as one. The cost is ``tau nodes^2``.

    Parameters
    ----------
    task
        A task of `theory.learning.spectrum` with finitely many modes.
    t
        Rising times above 0.
    richness
        g; 0 is the lazy model.

    Raises
    ------
    TheoryError
        If an argument is out of its range, or the task has infinitely many modes.

    Examples
    --------
    >>> from theory.learning.spectrum import PowerLaw
    >>> curve = infinite_width(PowerLaw(2.0, 2.0, modes=8), [1.0, 10.0], richness=0.0)
    >>> k = np.arange(1.0, 9.0)
    >>> bool(abs(curve.loss[1] - np.sum(k**-2 * np.exp(-20 / k**2))) < 1e-4)
    True
    """
    times = _checked(t, richness)
    with jax.enable_x64(True):
        x, p = task.eigenvalues, task.counts * task.powers
        if task.modes is None or not bool(jnp.all(p >= 0)):
            raise TheoryError(
                "a network is trained on finitely many modes, because those of a tail have no "
                "power of their own; give modes=, such as PowerLaw(1.5, 2.0, modes=10**6)."
            )
        start = (jnp.zeros_like(x), jnp.eye(len(x)), jnp.asarray(0.0))
        loss, growth = _infinite(start, x, jnp.sqrt(p / x), jnp.asarray(times), richness)
        return Curve(times, np.asarray(loss), np.asarray(growth))


def train(
    task: AbstractTask,
    *,
    N: int,
    t: Sequence[float] | np.ndarray,
    richness: float = 1.0,
    draws: int = 10,
    seed: int = 0,
) -> Simulated:
    """Loss of drawn networks of width N, weights and projection trained together.

    Draws differ in A and in the signs of the teacher.

    Parameters
    ----------
    task
        A task with finitely many modes, each of which is drawn.
    N
        Width.
    t
        Rising times above 0.
    richness
        g; 0 is the lazy model.
    draws, seed
        Number of draws and their seed.

    Raises
    ------
    TheoryError
        If an argument is out of its range.

    Examples
    --------
    >>> from theory.learning.spectrum import PowerLaw
    >>> found = train(PowerLaw(1.5, 1.5, modes=20), N=10, t=[1.0, 10.0], draws=3)
    >>> bool(found.mean[1] < found.mean[0])
    True
    """
    times = _checked(t, richness)
    if isinstance(N, bool) or not isinstance(N, int) or N < 1:
        raise TheoryError(f"N must be a whole number of at least 1; got {N}.")
    if not isinstance(draws, int) or draws < 2 or seed < 0:
        raise TheoryError(
            f"draws must be a whole number of at least 2 and seed not negative; got {draws} and "
            f"{seed}."
        )
    x, p = every_mode(task)
    losses = []
    with jax.enable_x64(True):
        for index in range(draws):
            key = jax.random.fold_in(jax.random.key(seed), index)
            for_projection, for_signs = jax.random.split(key)
            A = jax.random.normal(for_projection, (N, len(x)))
            signs = jax.random.rademacher(for_signs, (len(x),), dtype=float)
            start = (jnp.zeros(N), A)
            teacher = signs * jnp.sqrt(p / x)
            losses.append(_finite(start, jnp.asarray(x), teacher, jnp.asarray(times), richness)[0])
    return summarise(np.stack([np.asarray(loss) for loss in losses]), seed)


def network_rates(
    state: State, eigenvalues: Array, teacher: Array, richness: float | Array
) -> State:
    """``(dw/dt, dA/dt)`` of the network."""
    w, A = state
    root = jnp.sqrt(1.0 * len(w))
    force = eigenvalues * (teacher - w @ A / root)
    return A @ force / root, richness * root * w[:, None] * force[None, :]


def kernel_rates(
    state: State, eigenvalues: Array, teacher: Array, richness: float | Array
) -> State:
    """``(d beta/dt, dK/dt, du/dt)`` of the network at any width."""
    beta, K, u = state
    force = eigenvalues * (teacher - beta)
    outer = force[:, None] * beta[None, :]
    return K @ force + u * force, richness * (outer + outer.T), 2 * richness * jnp.dot(beta, force)


@jax.jit
def _infinite(
    start: State, x: Array, teacher: Array, times: Array, richness: float | Array
) -> tuple[Array, Array]:
    def fastest(state: State) -> Array:
        beta, _, u = state
        return jnp.max(x) * (1 + u + 2 * richness * jnp.sum(beta**2))

    def seen(state: State) -> tuple[Array, Array]:
        return jnp.sum(x * (teacher - state[0]) ** 2), state[2]

    rates = partial(kernel_rates, eigenvalues=x, teacher=teacher, richness=richness)
    return _integrate(rates, fastest, seen, start, times)


@jax.jit
def _finite(
    start: State, x: Array, teacher: Array, times: Array, richness: float | Array
) -> tuple[Array, Array]:
    def fastest(state: State) -> Array:
        w, A = state
        # The trace bounds the largest rate of A Lambda A^T/N + g |w|^2 Lambda.
        return jnp.sum(A**2 @ x) / len(w) + richness * jnp.sum(w**2) * jnp.max(x)

    def seen(state: State) -> tuple[Array, Array]:
        w, A = state
        error = teacher - w @ A / jnp.sqrt(1.0 * len(w))
        return jnp.sum(x * error**2), richness * jnp.sum(w**2)

    rates = partial(network_rates, eigenvalues=x, teacher=teacher, richness=richness)
    return _integrate(rates, fastest, seen, start, times)


def _integrate(
    rates: Callable[[State], State],
    fastest: Callable[[State], Array],
    seen: Callable[[State], tuple[Array, Array]],
    start: State,
    times: Array,
) -> tuple[Array, Array]:
    """Classical Runge-Kutta steps of `STEP` over the fastest rate; what is seen at each time."""

    def moved(state: State, slope: State, by: Array) -> State:
        return jax.tree.map(lambda y, dy: y + by * dy, state, slope)

    def step(carry: tuple[State, Array], end: Array) -> tuple[State, Array]:
        state, now = carry
        width = jnp.minimum(STEP / fastest(state), end - now)
        one = rates(state)
        two = rates(moved(state, one, width / 2))
        three = rates(moved(state, two, width / 2))
        four = rates(moved(state, three, width))
        mean = jax.tree.map(lambda a, b, c, d: (a + 2 * b + 2 * c + d) / 6, one, two, three, four)
        at_end = width >= end - now
        return moved(state, mean, width), jnp.where(at_end, end, now + width)

    def until(
        carry: tuple[State, Array], end: Array
    ) -> tuple[tuple[State, Array], tuple[Array, Array]]:
        carry = jax.lax.while_loop(lambda c: c[1] < end, lambda c: step(c, end), carry)
        return carry, seen(carry[0])

    return jax.lax.scan(until, (start, jnp.zeros_like(times[0])), times)[1]


def _checked(t: Sequence[float] | np.ndarray, richness: float) -> Float64[np.ndarray, " time"]:
    times = np.asarray(t, dtype=float)
    rising = times.ndim == 1 and len(times) and times[0] > 0 and np.all(np.diff(times) > 0)
    if not rising or not math.isfinite(times[-1]):
        raise TheoryError(f"t must be a list of finite, rising times above 0; got {t}.")
    if not 0 <= richness < math.inf:
        raise TheoryError(f"richness must be finite and not negative; got {richness}.")
    return times
