"""Many tables through one compiled program: HMC whitened by the Laplace approximation.

Under `jax.vmap` NUTS waits for its slowest lane at every draw, so that most of the arithmetic is
thrown away. Here all lanes take the same number of leapfrog steps, drawn anew for every draw, with
a step size a table. For each table: damped Newton from several starts to the mode, whitening by the
curvature there, warm-up, whitening once more by the covariance of the warm-up draws of all chains,
warm-up, draws. The number of steps is jittered, which keeps plain HMC from resonating with a
direction of the posterior.

Everything that differs between tables is data: the observations, padded to a common number of rows
of which some have weight zero, and the numbers of the priors with the pivot. So one program serves
all tables of a law, a likelihood and a shape. It advances a block of draws at a time, which is what
is compiled; warm-up, draws and a second, longer attempt are calls of the same block.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bayescale.models.density import Density, Numbers
from bayescale.models.observations import Observations

NEWTON_STEPS, STARTS = 40, 4
"""Damped Newton steps to the mode from each of so many starts."""

BLOCK = 50
"""Draws in one call of the compiled program; all numbers of draws are multiples of it."""

WARMUP = (150, 250)
"""Draws of warm-up before and after the second whitening."""

DIVERGED = 1000.0
"""Error of the energy, in nats, at which a trajectory counts as divergent (as in Stan)."""

HESSIAN_STEP = 1e-4
"""Step of the central difference of the gradient: the exact Hessian takes longer to compile than
everything else together."""

SHRINK = 0.1
"""Weight of the old whitening in the new one, which keeps it definite where chains hardly moved."""


class Lanes(NamedTuple):
    """What differs between tables; every leaf has the table as its first axis.

    Parameters
    ----------
    observed
        Observations, padded to the same number of rows, with weights.
    numbers
        Numbers of the priors.
    starts
        Positions at which the search for the mode begins, (table, start, coordinate).
    keys
        A random key a table.
    """

    observed: Observations
    numbers: Numbers
    starts: Any
    keys: Any


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


@dataclass(frozen=True)
class BatchDraws:
    """Draws of many posteriors.

    Parameters
    ----------
    positions
        Unconstrained draws, (table, chain, draw, coordinate).
    lp
        Log posterior density at them, (table, chain, draw).
    diverging
        Whether the trajectory that led there diverged, (table, chain, draw).
    energy
        Hamiltonian at the start of each trajectory, (table, chain, draw).
    acceptance_rate
        Acceptance probability, (table, chain, draw).
    agreeing
        How many of the starts ended at the best mode, (table,).
    """

    positions: np.ndarray
    lp: np.ndarray
    diverging: np.ndarray
    energy: np.ndarray
    acceptance_rate: np.ndarray
    agreeing: np.ndarray


class _Whitening(NamedTuple):
    """``position = centre + factor @ z``; shapes (table, coordinate), (table, coordinate, ...)."""

    centre: Any
    factor: Any

    def positions(self, z: Any) -> Any:
        """Positions of whitened ones, (..., table, chain, coordinate)."""
        moved = jnp.einsum("tij,...tcj->...tci", self.factor, z)
        return moved + jnp.broadcast_to(self.centre[:, None], moved.shape)

    def whitened(self, positions: Any) -> Any:
        """The inverse."""
        shifted = jnp.swapaxes(positions - self.centre[:, None], 1, 2)
        return jnp.swapaxes(jnp.linalg.solve(self.factor, shifted), 1, 2)


class _State(NamedTuple):
    """Where the chains are, and how the step sizes adapt (dual averaging, Nesterov 2009)."""

    z: Any
    value: Any
    slope: Any
    log_step: Any
    error: Any
    average: Any
    centre: Any


def stack(trees: Sequence[Any]) -> Any:
    """Pytrees of numbers and arrays of one structure -> one pytree with the table in front."""
    return jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *trees)


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
        Of the model whose structure the tables share.
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
    program, effort = _program(density), effort or FIRST
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
    whitening: _Whitening,
    state: _State,
    keys: Any,
    draws: int,
    effort: Effort,
    *,
    adapt: bool = True,
) -> tuple[_State, dict[str, Any]]:
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
    mode: Callable[..., tuple[_Whitening, Any]]
    start: Callable[..., _State]
    block: Callable[..., tuple[_State, dict[str, Any]]]
    whiten: Callable[..., _Whitening]
    spread: Callable[..., _Whitening]


@lru_cache(maxsize=8)
def _program(density: Density) -> _Program:
    def log_density(position: Any, observed: Observations, numbers: Numbers) -> Any:
        return density.log_density(position, observed, numbers=numbers)

    def whitened(z: Any, centre: Any, factor: Any, observed: Any, numbers: Any) -> Any:
        return log_density(centre + factor @ z, observed, numbers)

    chains = jax.vmap(jax.value_and_grad(whitened), in_axes=(0, None, None, None, None))
    tables = jax.vmap(chains)

    def at(lanes: Lanes, whitening: _Whitening) -> Callable[[Any], Any]:
        return lambda z: tables(z, *whitening, lanes.observed, lanes.numbers)

    def start(lanes: Lanes, whitening: _Whitening, z: Any, step: Any) -> _State:
        value, slope = at(lanes, whitening)(z)
        zero = jnp.zeros_like(step)
        return _State(z, value, slope, jnp.log(step), zero, jnp.log(step), jnp.log(2.0 * step))

    def mode(lanes: Lanes) -> tuple[_Whitening, Any]:
        find = jax.vmap(_mode, in_axes=(None, 0, 0, 0))
        centre, factor, agreeing = find(log_density, lanes.observed, lanes.numbers, lanes.starts)
        return _Whitening(centre, factor), agreeing

    def block(
        lanes: Lanes,
        whitening: _Whitening,
        state: _State,
        keys: Any,
        begin: Any,
        acceptance: Any,
        low: Any,
        high: Any,
        adapt: Any,
    ) -> tuple[_State, dict[str, Any]]:
        value_and_slope = at(lanes, whitening)

        def advance(state: _State, index: Any) -> tuple[_State, dict[str, Any]]:
            here = jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, index)
            # The number of steps is the same for all lanes, so its key is no lane's own.
            count = jax.random.randint(
                jax.random.fold_in(jax.random.key(0), index), (), low, high + 1
            )
            state, seen = _trajectory(value_and_slope, state, here, count)
            adapted = _adapt(state, seen["acceptance_rate"], index + 1.0, acceptance)
            state = jax.tree.map(lambda new, old: jnp.where(adapt, new, old), adapted, state)
            return state, {**seen, "z": state.z}

        return jax.lax.scan(advance, state, begin + jnp.arange(BLOCK))

    return _Program(
        split=jax.jit(jax.vmap(lambda key: jax.random.split(key, 4))),
        normal=lambda keys, count: jax.vmap(
            lambda key: jax.random.normal(key, (count, density.size))
        )(keys),
        mode=jax.jit(mode),
        start=jax.jit(start),
        block=jax.jit(block),
        whiten=jax.jit(jax.vmap(_whiten, in_axes=(0, 1))),
        spread=jax.jit(jax.vmap(_spread, in_axes=1)),
    )


def _mode(log_density: Any, observed: Any, numbers: Any, starts: Any) -> tuple[Any, Any, Any]:
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


def _trajectory(
    value_and_slope: Any, state: _State, keys: Any, count: Any
) -> tuple[_State, dict[str, Any]]:
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


def _adapt(state: _State, acceptance_rate: Any, t: Any, target: Any) -> _State:
    """One step of dual averaging of each table's log step size."""
    share = 1.0 / (t + 10.0)
    error = (1.0 - share) * state.error + share * (target - acceptance_rate.mean(axis=1))
    log_step = state.centre - jnp.sqrt(t) / 0.05 * error
    weight = t**-0.75
    average = weight * log_step + (1.0 - weight) * state.average
    return state._replace(log_step=log_step, error=error, average=average)


def _whiten(old: _Whitening, pooled: Any) -> _Whitening:
    """Whitening of one table by draws (draw, chain, coordinate), shrunk towards the old one."""
    factor = old.factor
    flat = pooled.reshape(-1, pooled.shape[-1])
    mean = flat.mean(axis=0)
    scaled = jnp.linalg.solve(factor, (flat - mean[None]).T)
    covariance = (1.0 - SHRINK) * scaled @ scaled.T / flat.shape[0] + SHRINK * jnp.eye(len(mean))
    return _Whitening(mean, factor @ jnp.linalg.cholesky(covariance))


def _spread(pooled: Any) -> _Whitening:
    """Whitening of one table by the means and standard deviations of draws."""
    flat = pooled.reshape(-1, pooled.shape[-1])
    return _Whitening(flat.mean(axis=0), jnp.diag(flat.std(axis=0) + 1e-6))
