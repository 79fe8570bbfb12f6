"""Posterior modes of many tables at once, by damped Newton steps from several starts."""

from typing import Any

import jax
import jax.numpy as jnp

NEWTON_STEPS, STARTS = 40, 4
"""Damped Newton steps to the mode from each of so many starts."""

HESSIAN_STEP = 1e-4
"""Step of the central difference of the gradient: the exact Hessian takes longer to compile than
everything else together."""


def mode_of(log_density: Any, observed: Any, numbers: Any, starts: Any) -> tuple[Any, Any, Any]:
    """Posterior mode of one table and the factor of its covariance, by damped Newton steps."""

    def value(position: Any) -> Any:
        found = log_density(position, observed, numbers)
        return jnp.where(jnp.isfinite(found), found, -jnp.inf)

    gradient = jax.grad(value)
    shifts = HESSIAN_STEP * jnp.eye(starts.shape[-1])

    def hessian(position: Any) -> Any:
        ahead, behind = (jax.vmap(gradient)(position[None] + sign * shifts) for sign in (1.0, -1.0))
        rows = (ahead - behind) / (2.0 * HESSIAN_STEP)
        return (rows + rows.T) / 2.0

    def climb(start: Any) -> Any:
        def step(state: Any, _: None) -> Any:
            position, best, damping = state
            slope, curvature = jnp.nan_to_num(gradient(position)), -hessian(position)
            values, vectors = jnp.linalg.eigh(jnp.nan_to_num(curvature))
            shift = vectors @ ((vectors.T @ slope) / (jnp.abs(values) + damping))
            length = jnp.sqrt(jnp.sum(shift**2))
            moved = position + shift * jnp.minimum(1.0, 2.0 / (length + 1e-12))
            new = value(moved)
            better = new > best
            damping = jnp.where(better, damping / 5.0, jnp.minimum(damping * 4.0, 1e8))
            position = jnp.where(better, moved, position)
            return (position, jnp.where(better, new, best), damping), None

        state = (start, value(start), jnp.asarray(1.0))
        (position, best, _), _ = jax.lax.scan(step, state, length=NEWTON_STEPS)
        return position, best

    positions, bests = jax.vmap(climb)(starts)
    top = jnp.argmax(bests)
    position = positions[top]
    values, vectors = jnp.linalg.eigh(-jnp.nan_to_num(hessian(position)))
    factor = vectors / jnp.sqrt(jnp.maximum(values, 0.05))[None]
    return position, factor, jnp.sum(bests > bests[top] - 0.01)
