"""Chains of NUTS by NumPyro, in coordinates whitened by the curvature at the posterior mode.

Whitening makes the posterior nearly a unit Gaussian before the first step, so warm-up is short
and trajectories are a few leapfrog steps long. Sampling goes on in blocks until the smallest
effective sample size reaches a target, instead of for a fixed number of draws. Where draws diverge,
or the chains still disagree at the largest number of draws, everything is tried once more with a
longer warm-up and smaller steps.
"""

import math
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, CancelledError, ThreadPoolExecutor, wait
from functools import lru_cache, partial
from threading import Event
from typing import Any, NamedTuple

import jax
import numpy as np
from numpyro.infer.hmc import HMCState, hmc
from numpyro.infer.util import ParamInfo

from bayescale.engines.attempts import Attempt, failure, persist, suffices
from bayescale.engines.engine import Sampling
from bayescale.engines.mode import negative_log_density
from bayescale.models.density import Density, Numbers
from bayescale.models.draws import Draws
from bayescale.models.observations import Observations
from bayescale.progress import Part, Progress

BLOCK = 1000
"""Draws a chain between two looks at their convergence."""

CHUNK = 100
"""Draws in one call of the compiled program."""

LOOK = 0.25
"""Seconds between two looks at how far the chains are."""

ATTEMPTS = (Attempt(500, 0.9), Attempt(1500, 0.98))
"""The usual attempt, and one more where it fails."""

PACKAGES = ("jax", "numpyro")

Trace = dict[str, np.ndarray]


class Target(NamedTuple):
    """Everything that a table changes: arguments of the compiled program.

    Parameters
    ----------
    centre, factor
        ``position = centre + factor @ whitened``.
    observed
        The runs.
    numbers
        Of the priors; None where the density keeps its own.
    """

    centre: np.ndarray
    factor: np.ndarray
    observed: Observations
    numbers: Numbers | None


STATS = {
    "diverging": "diverging",
    "energy": "energy",
    "num_steps": "n_steps",
    "accept_prob": "acceptance_rate",
    "potential_energy": "lp",
}
"""NumPyro's name of a statistic -> ArviZ's."""


def draw(
    density: Density,
    centre: np.ndarray,
    factor: np.ndarray,
    observed: Observations,
    sampling: Sampling,
    rng: np.random.Generator,
) -> Draws:
    """Draw from a density by NUTS, whitened, and once more with smaller steps where that fails.

    Parameters
    ----------
    density
        Log posterior density.
    centre, factor
        The whitening, ``position = centre + factor @ whitened``.
    observed
        The runs.
    sampling
        How much, and from which seed.
    rng
        Draws where the chains begin.
    """
    target = Target(centre, factor, observed, density.numbers)
    chains, draws, progress = sampling.chains, sampling.draws, sampling.progress
    progress(f"NUTS: compiling and warming up {chains} chains")
    # Starts twice as wide as the posterior, so that R-hat means something.
    starts = 2.0 * rng.standard_normal((chains, density.size))
    keys = jax.random.split(jax.random.key(sampling.seed), chains)

    def positions(trace: Trace) -> np.ndarray:
        return centre + trace["z"] @ factor.T

    def once(attempt: Attempt) -> Trace:
        sampler = _Sampler(density, attempt, target, keys, starts, progress)
        block = BLOCK if draws is None else draws
        sampler.draw(attempt.warmup, after=block, keep=False)
        while True:
            sampler.draw(block)
            trace = sampler.trace()
            if not sampling.judged or suffices(positions(trace), progress):
                return trace

    def why_not(trace: Trace) -> str | None:
        return failure(trace["diverging"], positions(trace), judged=sampling.judged)

    trace, facts = persist(ATTEMPTS, once, why_not, progress)
    sample_stats = {arviz: trace[name] for name, arviz in STATS.items()}
    sample_stats["lp"] = -sample_stats["lp"]
    return Draws(density.constrain(positions(trace)), sample_stats, facts, PACKAGES)


@lru_cache(maxsize=8)
def _program(form: Density, attempt: Attempt) -> tuple[Callable[..., HMCState], Callable[..., Any]]:
    """Start of a chain, and `CHUNK` further draws of it; compiled once a form and table shape.

    Warm-up and sampling are the same program, because NumPyro's kernel knows from its state
    whether it still adapts.
    """

    def potential(*target: Any) -> Callable[[Any], Any]:
        centre, factor, observed, numbers = target
        return lambda whitened: (
            -form.log_density(centre + factor @ whitened, observed, numbers=numbers)
        )

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
        progress: Progress,
    ) -> None:
        self._progress, self._drawn = progress, 0
        start, advance = _program(density.form, attempt)
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
        centre, factor, observed, _ = self._target
        value, gradient = negative_log_density(density)(centre + factor @ whitened, observed)
        return ParamInfo(whitened, value, factor.T @ np.asarray(gradient))

    def draw(self, count: int, *, after: int = 0, keep: bool = True) -> None:
        """Advance every chain by `count` draws; warm-up draws are not kept.

        Parameters
        ----------
        count
            Draws a chain.
        after
            Draws a chain that follow for certain: what is told of the progress counts them.
        keep
            Whether the draws are kept.
        """
        stopped, chunks = Event(), deque[int]()
        with ThreadPoolExecutor() as pool:
            try:
                run = partial(self._run, count=count, stopped=stopped, chunks=chunks)
                running = [pool.submit(run, state) for state in self._states]
                while wait(running, timeout=LOOK, return_when=FIRST_EXCEPTION).not_done:
                    self._tell(len(chunks), count + after)
                results = [one.result() for one in running]
                self._drawn += count
            except BaseException:  # an interrupt: the threads stop after the chunk they are at
                stopped.set()
                raise
        self._states = [state for state, _ in results]
        if keep:
            for kept, (_, trace) in zip(self._traces, results, strict=True):
                kept.append(trace)

    def _tell(self, chunks: int, coming: int) -> None:
        """Say how many draws a chain are done, of those that are certain to come."""
        done = self._drawn + CHUNK * chunks // len(self._states)
        whole = self._drawn + coming
        self._progress(Part(f"NUTS: {done} of {whole} draws a chain", done / whole))

    def _run(
        self, state: HMCState, count: int, stopped: Event, chunks: deque[int]
    ) -> tuple[HMCState, Trace]:
        traces = []
        with jax.enable_x64(True):  # scoped to the thread
            for _ in range(math.ceil(count / CHUNK)):
                if stopped.is_set():
                    raise CancelledError
                state, chunk = self._advance(state, self._target)
                traces.append({name: np.asarray(values) for name, values in chunk.items()})
                chunks.append(CHUNK)
        joined = {name: np.concatenate([trace[name] for trace in traces]) for name in traces[0]}
        return state, {name: values[:count] for name, values in joined.items()}

    def trace(self) -> Trace:
        """Everything kept so far; arrays of shape (chain, draw, ...)."""
        chains = [
            {name: np.concatenate([part[name] for part in kept]) for name in kept[0]}
            for kept in self._traces
        ]
        return {name: np.stack([chain[name] for chain in chains]) for name in chains[0]}
