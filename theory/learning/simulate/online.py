r"""One-pass stochastic gradient descent: a fresh batch at every step.

For Gaussian features and a given projection the second moments of the weights close exactly. In the
eigenbasis of the student's covariance (eigenvalues x_i) with ``e_i = x_i E (w_i - w_i^opt)^2``,

    L(t) = sigma^2 + sum_k p_k - sum_i e_i(0) + sum_i e_i(t),
    e_i(t+1) = [1 - 2 eta x_i + eta^2 (1 + 1/B) x_i^2] e_i(t) + (eta^2/B) x_i^2 L(t),

from fourth moments of a Gaussian (Isserlis). `direct` runs the steps themselves, which checks it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float64, Key

from theory.learning.simulate.experiment import Arrays
from theory.learning.simulate.spectral import decompose, draw_projection


def at_steps[State](
    times: tuple[int, ...], step: Callable[[Array, State], State], start: State
) -> list[State]:
    """The state after each number of steps asked for, in their order.

    Parameters
    ----------
    times
        Numbers of steps, in any order.
    step
        ``(index, state) -> state``.
    start
        The state at 0.
    """
    found, state, now = {}, start, 0
    for time in sorted(set(times)):
        state = jax.lax.fori_loop(now, time, step, state)
        found[time], now = state, time
    return [found[time] for time in times]


@final
@dataclass(frozen=True)
class MomentRecursion:
    """Test loss of one drawn projection by the exact recursion.

    Parameters
    ----------
    N
        Features; None of infinitely many.
    times
        Numbers of steps.
    learning_rate, batch
        ``eta`` and ``B``.
    """

    N: int | None
    times: tuple[int, ...]
    learning_rate: float
    batch: int

    def __call__(self, key: Key[Array, ""], arrays: Arrays) -> Float64[Array, " time"]:
        """Losses; see `theory.learning.simulate.experiment.Arrays`."""
        eigenvalues, powers, noise = arrays.eigenvalues, arrays.powers, arrays.noise
        projection = draw_projection(key, self.N, len(eigenvalues))
        model = decompose(eigenvalues, powers, projection, None)
        x, eta = model.eigenvalues, self.learning_rate
        learnable = model.right**2 @ powers
        floor = noise + jnp.sum(powers) - jnp.sum(learnable)
        shrink = 1 - 2 * eta * x + eta**2 * (1 + 1 / self.batch) * x**2

        def step(_: object, e: Array) -> Array:
            return shrink * e + eta**2 / self.batch * x**2 * (floor + jnp.sum(e))

        return floor + jnp.stack([jnp.sum(e) for e in at_steps(self.times, step, learnable)])


@final
@dataclass(frozen=True)
class DirectSteps:
    """Test loss of one run: projection, teacher, batches and label noise all drawn.

    Parameters
    ----------
    N
        Features; None of infinitely many.
    times
        Numbers of steps.
    learning_rate, batch
        ``eta`` and ``B``.
    """

    N: int | None
    times: tuple[int, ...]
    learning_rate: float
    batch: int

    def __call__(self, key: Key[Array, ""], arrays: Arrays) -> Float64[Array, " time"]:
        """Losses; see `theory.learning.simulate.experiment.Arrays`."""
        eigenvalues, powers, noise = arrays.eigenvalues, arrays.powers, arrays.noise
        modes, root = len(eigenvalues), jnp.sqrt(eigenvalues)
        for_projection, for_teacher, for_batches = jax.random.split(key, 3)
        drawn = draw_projection(for_projection, self.N, modes)
        projection = jnp.eye(modes) if drawn is None else drawn
        teacher = jax.random.rademacher(for_teacher, (modes,), dtype=float) * jnp.sqrt(powers)

        def step(index: Array, weights: Array) -> Array:
            for_inputs, for_noise = jax.random.split(jax.random.fold_in(for_batches, index))
            white = jax.random.normal(for_inputs, (self.batch, modes))
            labels = white @ teacher + jnp.sqrt(noise) * jax.random.normal(for_noise, (self.batch,))
            features = (white * root[None, :]) @ projection.T
            error = labels - features @ weights
            return weights + self.learning_rate / self.batch * (features.T @ error)

        ends = at_steps(self.times, step, jnp.zeros(len(projection)))
        left = [jnp.sum((teacher - root * (w @ projection)) ** 2) for w in ends]
        return noise + jnp.stack(left)
