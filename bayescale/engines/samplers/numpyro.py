"""NUTS by NumPyro, in coordinates whitened by the curvature at the posterior mode.

Whitening makes the posterior nearly a unit Gaussian before the first step, so warm-up is short
and trajectories are a few leapfrog steps long. Sampling goes on in blocks until the smallest
effective sample size reaches a target, instead of for a fixed number of draws. Where draws diverge,
or the chains still disagree at the largest number of draws, everything is tried once more with a
longer warm-up and smaller steps.
"""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, ClassVar, final

import jax
import numpy as np
from numpyro.infer.hmc import HMCState, hmc
from numpyro.infer.util import ParamInfo

from bayescale.engines.attempts import Attempt, failure, persist, suffices
from bayescale.engines.engine import AbstractEngine
from bayescale.engines.mode import negative_log_density, start_of_chains
from bayescale.models.density import Density
from bayescale.models.draws import Draws
from bayescale.models.model import Model
from bayescale.models.observations import Observations
from bayescale.progress import Progress
from bayescale.runs.table import Runs

BLOCK = 1000
"""Draws a chain between two looks at their convergence."""

CHUNK = 100
"""Draws in one call of the compiled program."""

ATTEMPTS = (Attempt(500, 0.9), Attempt(1500, 0.98))
"""The usual attempt, and one more where it fails."""

Trace = dict[str, np.ndarray]
Target = tuple[Any, Any, Observations]
"""Centre and factor of the whitening, and the data: everything that a table changes."""

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
    """NUTS with a dense metric and several chains; smaller steps where draws diverge."""

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
            density, observed = Density(model), model.observe(runs)
            rng = np.random.default_rng(seed)
            progress("looking for the posterior mode")
            start = start_of_chains(density, observed, rng)
            target = (start.centre, start.factor, observed)
            options = {"draws": draws, "chains": chains, "seed": seed, "progress": progress}
            found = draw(density, target, rng=rng, **options)
            return replace(found, facts={**start.facts, **found.facts})


def draw(
    density: Density,
    target: Target,
    *,
    draws: int | None,
    chains: int,
    seed: int,
    rng: np.random.Generator,
    progress: Progress,
) -> Draws:
    """Draw from a density by NUTS, whitened, and once more with smaller steps where that fails.

    Parameters
    ----------
    density
        Log posterior density.
    target
        Centre and factor of the whitening, and the data.
    draws, chains, seed, progress
        As for `AbstractEngine.sample`.
    rng
        Draws where the chains begin.
    """
    centre, factor, _ = target
    progress(f"NUTS: compiling and warming up {chains} chains")
    # Starts twice as wide as the posterior, so that R-hat means something.
    starts = 2.0 * rng.standard_normal((chains, density.size))
    keys = jax.random.split(jax.random.key(seed), chains)
    judged = draws is None and chains > 1

    def positions(trace: Trace) -> np.ndarray:
        return centre + trace["z"] @ factor.T

    def once(attempt: Attempt) -> Trace:
        sampler = _Sampler(density, attempt, target, keys, starts)
        sampler.draw(attempt.warmup, keep=False)
        while True:
            sampler.draw(BLOCK if draws is None else draws)
            trace = sampler.trace()
            if not judged or suffices(positions(trace), progress):
                return trace

    def why_not(trace: Trace) -> str | None:
        return failure(trace["diverging"], positions(trace), judged=judged)

    trace, facts = persist(ATTEMPTS, once, why_not, progress)
    sample_stats = {arviz: trace[name] for name, arviz in STATS.items()}
    sample_stats["lp"] = -sample_stats["lp"]
    return Draws(density.constrain(positions(trace)), sample_stats, facts)


@lru_cache(maxsize=8)
def _program(
    density: Density, attempt: Attempt
) -> tuple[Callable[..., HMCState], Callable[..., Any]]:
    """Start of a chain, and `CHUNK` further draws of it; compiled once a model and table shape.

    Warm-up and sampling are the same program, because NumPyro's kernel knows from its state
    whether it still adapts.
    """

    def potential(centre: Any, factor: Any, observed: Observations) -> Callable[[Any], Any]:
        return lambda whitened: -density.log_density(centre + factor @ whitened, observed)

    initialise, sample = hmc(potential_fn_gen=potential, algo="NUTS")

    def start(key: jax.Array, at: ParamInfo, target: Target) -> HMCState:
        return initialise(
            at,
            attempt.warmup,
            dense_mass=True,
            target_accept_prob=attempt.acceptance,
            model_args=target,
            rng_key=key,
        )

    def advance(state: HMCState, target: Target) -> tuple[HMCState, dict[str, jax.Array]]:
        def step(state: HMCState, _: None) -> tuple[HMCState, dict[str, jax.Array]]:
            state = sample(state, target)
            return state, {name: getattr(state, name) for name in ("z", *STATS)}

        return jax.lax.scan(step, state, length=CHUNK)

    return jax.jit(start), jax.jit(advance)


class _Sampler:
    """Several NUTS chains that share one compiled program and can be continued.

    Each chain runs in a thread of its own.
    """

    def __init__(
        self,
        density: Density,
        attempt: Attempt,
        target: Target,
        keys: jax.Array,
        starts: np.ndarray,
    ) -> None:
        start, advance = _program(density, attempt)
        self._target = target
        self._states = [
            start(key, self._evaluated(density, at), target)
            for key, at in zip(keys, starts, strict=True)
        ]
        # Compiled here, once: the threads would each compile it for themselves.
        self._advance = advance.lower(self._states[0], target).compile()
        self._traces: list[list[Trace]] = [[] for _ in self._states]

    def _evaluated(self, density: Density, whitened: np.ndarray) -> ParamInfo:
        """A start with its potential and gradient, from the program that found the mode."""
        centre, factor, observed = self._target
        value, gradient = negative_log_density(density)(centre + factor @ whitened, observed)
        return ParamInfo(whitened, value, factor.T @ np.asarray(gradient))

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
                state, chunk = self._advance(state, self._target)
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
