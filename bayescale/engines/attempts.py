"""When Markov chains have drawn enough, and when another attempt is worth it."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from bayescale.diagnosis import MAX_DIVERGENT, MAX_RHAT, MIN_ESS, worst_convergence
from bayescale.progress import Progress

MAXIMUM = 8000
"""Largest number of draws a chain."""

TARGET_ESS, TARGET_RHAT = 1000.0, 1.005
"""Sampling stops when the smallest bulk and tail ESS and the largest R-hat reach these; the gate
asks for 400 and 1.01."""


class Attempt(NamedTuple):
    """How to warm up: draws a chain, and the target acceptance rate that sets the step size."""

    warmup: int
    acceptance: float


def suffices(positions: np.ndarray, progress: Progress) -> bool:
    """Whether chains at positions (chain, draw, coordinate) agree and have drawn enough."""
    count = positions.shape[1]
    if count >= MAXIMUM:
        return True
    rhat, ess = worst_convergence(positions)
    progress(f"NUTS: {count} draws a chain, R-hat {rhat:.3f}, smallest ESS {ess:.0f}")
    return ess >= TARGET_ESS and rhat <= TARGET_RHAT


def failure(diverging: np.ndarray, positions: np.ndarray, *, judged: bool) -> str | None:
    """Why another attempt is worth it; None where it is not.

    Parameters
    ----------
    diverging
        Whether each draw diverged, (chain, draw).
    positions
        Unconstrained draws, (chain, draw, coordinate).
    judged
        Whether R-hat and ESS count: not where the number of draws was asked for.
    """
    if float(np.mean(diverging)) > MAX_DIVERGENT:
        return "draws diverged"
    if not judged or positions.shape[1] < MAXIMUM:  # it stopped because all was well
        return None
    rhat, ess = worst_convergence(positions)
    if rhat <= MAX_RHAT and ess >= MIN_ESS:
        return None
    return f"the chains did not converge (R-hat {rhat:.3f}, smallest ESS {ess:.0f})"


def persist[Result](
    attempts: Sequence[Attempt],
    draw: Callable[[Attempt], Result],
    why_not: Callable[[Result], str | None],
    progress: Progress,
) -> tuple[Result, dict[str, Any]]:
    """Draw by each attempt in turn until one is good; the last is kept, good or not.

    Parameters
    ----------
    attempts
        From the usual one on.
    draw
        Makes one.
    why_not
        What is wrong with the result, or None.
    progress
        Told of what failed and how it is tried again.

    Returns
    -------
    tuple
        The result, and facts about the attempt that gave it.
    """
    for count, attempt in enumerate(attempts, start=1):
        result = draw(attempt)
        wrong = why_not(result)
        if wrong is None or count == len(attempts):
            facts = {"attempts": count, "warmup": attempt.warmup}
            return result, {**facts, "target_acceptance": attempt.acceptance}
        following = attempts[count]
        progress(f"NUTS: {wrong}; again with {following.warmup} draws of warm-up and smaller steps")
    raise ValueError("there is no attempt to make")
