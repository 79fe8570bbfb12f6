"""One transition of all chains of all tables by HMC, and how their step sizes adapt.

Every lane takes the same number of leapfrog steps, so that none waits for another; a table has a
step size of its own, by dual averaging (Nesterov 2009; Hoffman and Gelman 2014, section 3.2).

BlackJAX's HMC kernel draws as fast (`tests/benchmarks/hmc_kernel.json`) but compiles longer: in
the place of this file, with its own step-size adaptation, the first call for 64 tables took 34.3
to 37.8 CPU seconds in three runs against 30.5 to 31.8.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

DIVERGED = 1000.0
"""Error of the energy, in nats, at which a trajectory counts as divergent (as in Stan)."""


class State(NamedTuple):
    """Where the chains are, and how the step sizes adapt (dual averaging, Nesterov 2009)."""

    z: Any
    value: Any
    slope: Any
    log_step: Any
    error: Any
    average: Any
    centre: Any


def trajectory(
    value_and_slope: Any, state: State, keys: Any, count: Any
) -> tuple[State, dict[str, Any]]:
    """One HMC transition of every lane; what is seen of it has shape (table, chain)."""
    shape = state.z.shape[1:]
    draw = jax.vmap(lambda key: jax.random.split(key, 2))(keys)
    momentum = jax.vmap(lambda key: jax.random.normal(key, shape))(draw[:, 0])
    uniform = jax.vmap(lambda key: jax.random.uniform(key, shape[:1]))(draw[:, 1])
    length = jnp.exp(state.log_step)[:, None, None]

    def leap(_: Any, walk: Any) -> Any:
        at, momentum, slope, _ = walk
        half = momentum + 0.5 * length * slope
        at = at + length * half
        value, slope = value_and_slope(at)
        return at, half + 0.5 * length * slope, slope, value

    begin = (state.z, momentum, state.slope, state.value)
    at, end, slope, value = jax.lax.fori_loop(0, count, leap, begin)
    energy = 0.5 * jnp.sum(momentum**2, -1) - state.value
    error = 0.5 * jnp.sum(end**2, -1) - value - energy
    error = jnp.where(jnp.isfinite(error), error, jnp.inf)
    probability = jnp.exp(-jnp.maximum(error, 0.0))
    accept = uniform < probability
    state = state._replace(
        z=jnp.where(accept[..., None], at, state.z),
        value=jnp.where(accept, value, state.value),
        slope=jnp.where(accept[..., None], slope, state.slope),
    )
    return state, {
        "lp": state.value,
        "diverging": error > DIVERGED,
        "energy": energy,
        "acceptance_rate": probability,
    }


def adapted(state: State, acceptance_rate: Any, t: Any, target: Any) -> State:
    """One step of dual averaging of each table's log step size."""
    share = 1.0 / (t + 10.0)
    error = (1.0 - share) * state.error + share * (target - acceptance_rate.mean(axis=1))
    log_step = state.centre - jnp.sqrt(t) / 0.05 * error
    weight = t**-0.75
    average = weight * log_step + (1.0 - weight) * state.average
    return state._replace(log_step=log_step, error=error, average=average)
