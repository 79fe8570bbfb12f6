"""From tables to draws: the compiled program, and the order in which its parts are called."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bayescale.engines.batch.kernel import State, adapted, trajectory
from bayescale.engines.batch.mode import STARTS, mode_of
from bayescale.engines.batch.tables import BatchDraws, Lanes
from bayescale.engines.batch.whitening import Whitening, spread, whiten
from bayescale.models.density import Density, Numbers
from bayescale.models.observations import Observations

BLOCK = 50
"""Draws in one call of the compiled program; all numbers of draws are multiples of it."""

WARMUP = (150, 250)
"""Draws of warm-up before and after the second whitening."""

PACKAGES = ("jax",)


@dataclass(frozen=True)
class Effort:
    """How hard to sample.

    Parameters
    ----------
    draws
        Draws a chain, in whole blocks.
    acceptance
        Target acceptance probability.
    steps
        Least and largest number of leapfrog steps of a draw.
    """

    draws: int
    acceptance: float
    steps: tuple[int, int]


FIRST = Effort(500, 0.95, (5, 15))
"""Effort of the first attempt."""

SECOND = Effort(1500, 0.98, (8, 32))
"""Effort of the second, for tables whose first attempt failed its diagnostics."""


def sample(
    density: Density,
    lanes: Lanes,
    *,
    effort: Effort | None = None,
    chains: int = 4,
    sharding: Any = None,
    after: np.ndarray | None = None,
) -> BatchDraws:
    """Draw from many posteriors at once.

    Parameters
    ----------
    density
        Of one of the tables' models, whose form all share.
    lanes
        The tables.
    effort
        Number of draws, target acceptance, trajectory lengths; `FIRST` by default.
    chains
        Chains a table.
    sharding
        A `jax.sharding.Sharding` over the table axis, to spread the tables over devices.
    after
        Draws (table, chain, draw, coordinate) of an earlier attempt, to go on from instead of from
        the mode.

    Returns
    -------
    BatchDraws
    """
    program, effort = _program(density.form), effort or FIRST
    with jax.enable_x64(True):
        arrays = jax.tree.map(jnp.asarray, lanes)
        if sharding is not None:
            arrays = jax.device_put(arrays, sharding)
        keys = program.split(arrays.keys)
        if after is None:
            mode, agreeing = program.mode(arrays)
            z = program.normal(keys[:, 0], chains)
            first = program.start(arrays, mode, z, jnp.full(z.shape[0], 0.5))
            first, kept = _advance(program, arrays, mode, first, keys[:, 1], WARMUP[0], effort)
            pooled = mode.positions(kept["z"][WARMUP[0] // 3 :])
            at, step = mode.positions(first.z), jnp.exp(first.average)
        else:
            pooled = jnp.moveaxis(jnp.asarray(after), 2, 0)
            at, step = pooled[-1], jnp.full(pooled.shape[1], 0.3)
            mode, agreeing = program.spread(pooled), jnp.full(pooled.shape[1], STARTS)
        whitening = program.whiten(mode, pooled)
        state = program.start(arrays, whitening, whitening.whitened(at), step)
        state, _ = _advance(program, arrays, whitening, state, keys[:, 2], WARMUP[1], effort)
        state = state._replace(log_step=state.average)
        _, kept = _advance(
            program, arrays, whitening, state, keys[:, 3], effort.draws, effort, adapt=False
        )
        positions = whitening.positions(kept.pop("z"))
        found = {name: np.moveaxis(np.asarray(value), 0, 2) for name, value in kept.items()}
        moved = np.moveaxis(np.asarray(positions), 0, 2)
        return BatchDraws(moved, **found, agreeing=np.asarray(agreeing))


def _advance(
    program: "_Program",
    lanes: Lanes,
    whitening: Whitening,
    state: State,
    keys: Any,
    draws: int,
    effort: Effort,
    *,
    adapt: bool = True,
) -> tuple[State, dict[str, Any]]:
    """Advance all chains block by block; leaves (draw, table, chain, ...)."""
    blocks = []
    low, high = effort.steps
    for begin in range(0, draws, BLOCK):
        state, kept = program.block(
            lanes, whitening, state, keys, begin, effort.acceptance, low, high, adapt
        )
        blocks.append(kept)
    return state, jax.tree.map(lambda *parts: jnp.concatenate(parts), *blocks)


@dataclass(frozen=True)
class _Program:
    """The compiled parts; each is compiled once a shape."""

    split: Callable[..., Any]
    normal: Callable[..., Any]
    mode: Callable[..., tuple[Whitening, Any]]
    start: Callable[..., State]
    block: Callable[..., tuple[State, dict[str, Any]]]
    whiten: Callable[..., Whitening]
    spread: Callable[..., Whitening]


@lru_cache(maxsize=8)
def _program(form: Density) -> _Program:
    def log_density(position: Any, observed: Observations, numbers: Numbers) -> Any:
        return form.log_density(position, observed, numbers=numbers)

    def whitened(z: Any, centre: Any, factor: Any, observed: Any, numbers: Any) -> Any:
        return log_density(centre + factor @ z, observed, numbers)

    chains = jax.vmap(jax.value_and_grad(whitened), in_axes=(0, None, None, None, None))
    tables = jax.vmap(chains)

    def at(lanes: Lanes, whitening: Whitening) -> Callable[[Any], Any]:
        return lambda z: tables(z, *whitening, lanes.observed, lanes.numbers)

    def start(lanes: Lanes, whitening: Whitening, z: Any, step: Any) -> State:
        value, slope = at(lanes, whitening)(z)
        zero = jnp.zeros_like(step)
        return State(z, value, slope, jnp.log(step), zero, jnp.log(step), jnp.log(2.0 * step))

    def mode(lanes: Lanes) -> tuple[Whitening, Any]:
        find = jax.vmap(mode_of, in_axes=(None, 0, 0, 0))
        centre, factor, agreeing = find(log_density, lanes.observed, lanes.numbers, lanes.starts)
        return Whitening(centre, factor), agreeing

    def block(
        lanes: Lanes,
        whitening: Whitening,
        state: State,
        keys: Any,
        begin: Any,
        acceptance: Any,
        low: Any,
        high: Any,
        adapt: Any,
    ) -> tuple[State, dict[str, Any]]:
        value_and_slope = at(lanes, whitening)

        def advance(state: State, index: Any) -> tuple[State, dict[str, Any]]:
            here = jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, index)
            # The number of steps is the same for all lanes, so its key is no lane's own.
            count = jax.random.randint(
                jax.random.fold_in(jax.random.key(0), index), (), low, high + 1
            )
            state, seen = trajectory(value_and_slope, state, here, count)
            moved = adapted(state, seen["acceptance_rate"], index + 1.0, acceptance)
            state = jax.tree.map(lambda new, old: jnp.where(adapt, new, old), moved, state)
            return state, {**seen, "z": state.z}

        return jax.lax.scan(advance, state, begin + jnp.arange(BLOCK))

    return _Program(
        split=jax.jit(jax.vmap(lambda key: jax.random.split(key, 4))),
        normal=lambda keys, count: jax.vmap(lambda key: jax.random.normal(key, (count, form.size)))(
            keys
        ),
        mode=jax.jit(mode),
        start=jax.jit(start),
        block=jax.jit(block),
        whiten=jax.jit(jax.vmap(whiten, in_axes=(0, 1))),
        spread=jax.jit(jax.vmap(spread, in_axes=1)),
    )
