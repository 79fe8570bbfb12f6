"""NUTS by NumPyro, in coordinates whitened by the curvature at the posterior mode.

Whitening makes the posterior nearly a unit Gaussian before the first step, so warm-up is short
and trajectories are a few leapfrog steps long. Sampling goes on in blocks until the smallest
effective sample size reaches a target, instead of for a fixed number of draws.
"""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ClassVar, cast, final

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.infer import NUTS
from numpyro.infer.hmc import HMCState

from bayescale.diagnose import worst_convergence
from bayescale.engines.density import Density, observations
from bayescale.engines.engine import AbstractEngine, Draws, Progress
from bayescale.engines.mode import NoModeFound, find_mode
from bayescale.model import Model
from bayescale.runs import Runs

WARMUP, BLOCK, MAXIMUM = 500, 1000, 8000
"""Warm-up, block and largest number of draws, each a chain."""

CHUNK = 100
"""Draws in one call of the compiled program."""

Trace = dict[str, np.ndarray]

TARGET_ESS, TARGET_RHAT = 1000.0, 1.005
"""Sampling stops when the smallest bulk and tail ESS and the largest R-hat reach these; the gate
asks for 400 and 1.01."""

STATS = {
    "diverging": "diverging",
    "energy": "energy",
    "num_steps": "n_steps",
    "accept_prob": "acceptance_rate",
    "potential_energy": "lp",
}
"""NumPyro's name of a statistic -> ArviZ's."""


@final
class Engine(AbstractEngine):
    """NUTS with a dense metric, target acceptance 0.9, and several chains."""

    name: ClassVar[str] = "numpyro"
    markov_chain: ClassVar[bool] = True

    def sample(
        self,
        model: Model,
        runs: Runs,
        *,
        draws: int | None,
        chains: int,
        seed: int,
        progress: Progress,
    ) -> Draws:
        """Draw by NUTS; see `AbstractEngine.sample`."""
        with jax.enable_x64(True):
            return self._sample(model, runs, draws, chains, seed, progress)

    def _sample(
        self,
        model: Model,
        runs: Runs,
        draws: int | None,
        chains: int,
        seed: int,
        progress: Progress,
    ) -> Draws:
        density, observed = Density(model), observations(model, runs)
        rng = np.random.default_rng(seed)
        progress("looking for the posterior mode")
        try:
            mode = find_mode(density, observed, rng=rng)
            centre, factor = jnp.asarray(mode.position), jnp.asarray(mode.factor)
            facts = {"mode_agreeing": mode.agreeing, "mode_starts": mode.starts}
        except NoModeFound:
            centre, factor = jnp.zeros(density.size), jnp.eye(density.size)
            facts = {"mode_agreeing": 0, "mode_starts": 0}

        def potential(whitened: jax.Array) -> jax.Array:
            return -density.log_density(centre + factor @ whitened, observed)

        # Starts twice as wide as the posterior, so that R-hat means something.
        starts = 2.0 * rng.standard_normal((chains, density.size))
        sampler = _Sampler(potential, jax.random.split(jax.random.key(seed), chains), starts)
        progress(f"NUTS: warming up {chains} chains")
        sampler.draw(WARMUP, keep=False)
        while True:
            sampler.draw(BLOCK if draws is None else draws)
            trace = sampler.trace()
            positions = np.asarray(centre) + trace["z"] @ np.asarray(factor).T
            count = positions.shape[1]
            if draws is not None or chains == 1 or count >= MAXIMUM:
                break
            rhat, ess = worst_convergence(positions)
            progress(f"NUTS: {count} draws a chain, R-hat {rhat:.3f}, smallest ESS {ess:.0f}")
            if ess >= TARGET_ESS and rhat <= TARGET_RHAT:
                break
        coordinates = density.constrain(positions)
        sample_stats = {arviz: trace[name] for name, arviz in STATS.items()}
        sample_stats["lp"] = -sample_stats["lp"]
        return Draws(coordinates, sample_stats, {**facts, "warmup": WARMUP})


class _Sampler:
    """Several NUTS chains that share one compiled program and can be continued.

    Warm-up and sampling are the same program, because NumPyro's kernel knows from its state
    whether it still adapts. Each chain runs in a thread of its own.
    """

    def __init__(
        self, potential: Callable[[jax.Array], jax.Array], keys: jax.Array, starts: np.ndarray
    ) -> None:
        kernel = NUTS(potential_fn=potential, dense_mass=True, target_accept_prob=0.9)

        def step(state: HMCState, _: None) -> tuple[HMCState, dict[str, jax.Array]]:
            state = cast(HMCState, kernel.sample(state, (), {}))
            return state, {name: getattr(state, name) for name in ("z", *STATS)}

        start = jax.jit(lambda key, at: kernel.init(key, WARMUP, at, (), {}))
        self._states = [start(key, at) for key, at in zip(keys, starts, strict=True)]
        # Compiled here, once: the threads would each compile it for themselves.
        advance = jax.jit(lambda state: jax.lax.scan(step, state, length=CHUNK))
        self._advance = advance.lower(self._states[0]).compile()
        self._traces: list[list[Trace]] = [[] for _ in self._states]

    def draw(self, count: int, *, keep: bool = True) -> None:
        """Advance every chain by `count` draws; warm-up draws are not kept."""
        with ThreadPoolExecutor() as pool:
            results = list(pool.map(partial(self._run, count=count), self._states))
        self._states = [state for state, _ in results]
        if keep:
            for kept, (_, trace) in zip(self._traces, results, strict=True):
                kept.append(trace)

    def _run(self, state: HMCState, count: int) -> tuple[HMCState, Trace]:
        chunks = []
        with jax.enable_x64(True):  # scoped to the thread
            for _ in range(math.ceil(count / CHUNK)):
                state, chunk = self._advance(state)
                chunks.append({name: np.asarray(values) for name, values in chunk.items()})
        joined = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}
        return state, {name: values[:count] for name, values in joined.items()}

    def trace(self) -> Trace:
        """Everything kept so far; arrays of shape (chain, draw, ...)."""
        chains = [
            {name: np.concatenate([part[name] for part in kept]) for name in kept[0]}
            for kept in self._traces
        ]
        return {name: np.stack([chain[name] for chain in chains]) for name in chains[0]}
