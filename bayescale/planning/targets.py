"""Budgets for targets: what it takes to reach a loss with a given probability.

The budget at a confidence is the least C for which one allocation (N, D), chosen before the law is
known, has ``P(L(N, D) <= target) >= confidence`` over draws, what the law may be wrong by beyond
the runs included. A point estimate's budget reaches its target about every other time.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import optimize

from bayescale.errors import UsageError
from bayescale.planning.budget_line import BudgetLine
from bayescale.planning.compute_multiplier import LARGEST, least_compute, smallest
from bayescale.planning.frontier import QUANTILES, Frontier
from bayescale.planning.objectives import AbstractObjective
from bayescale.planning.objectives.median import Median
from bayescale.planning.objectives.quantile import Quantile
from bayescale.posteriors.abstract import AbstractPosterior

SCAN = 160
"""Budgets at which a coarse look brackets the answer, evenly spaced in the log."""

PRECISION = 1e-7
"""In log compute."""

FLAT = 0.05
"""In log compute, about what the best choice of N saves over the median of the optimal N."""


@dataclass(frozen=True, eq=False)
class Targets:
    """What each target takes.

    Parameters
    ----------
    loss
        Targets in nats per token.
    confidence
        Probability with which each is to be reached.
    compute
        Least budget in FLOP that reaches each with that probability; infinite where none does.
    needed
        Budget that each draw would need were it known to be true; infinite where none suffices.
    """

    loss: Float[np.ndarray, " target"]
    confidence: float
    compute: Float[np.ndarray, " target"]
    needed: Float[np.ndarray, "draw target"]

    @property
    def unreachable(self) -> Float[np.ndarray, " target"]:
        """Probability that no budget reaches each target."""
        return np.mean(np.isinf(self.needed), axis=0)

    def summary(self) -> pd.DataFrame:
        """One row a target: the budget at the confidence, and quantiles of what draws need.

        Returns
        -------
        pandas.DataFrame
            Index: target. Columns: confidence, compute (infinite where no budget is enough), q10,
            q50, q90 of the budget that each draw needs, unreachable (probability).
        """
        table = pd.DataFrame({"confidence": self.confidence, "compute": self.compute})
        for name, level in QUANTILES.items():
            # Between a number and infinity there is no quantile by interpolation.
            table[name] = np.quantile(self.needed, level, axis=0, method="higher")
        table["unreachable"] = self.unreachable
        return table.set_axis(pd.Index(self.loss, name="target"))

    def reasons(self) -> tuple[str, ...]:
        """A sentence for each target that no budget reaches with the confidence asked."""
        out = []
        for target, compute, never in zip(self.loss, self.compute, self.unreachable, strict=True):
            if np.isfinite(compute):
                continue
            out.append(
                f"a loss of {target:g} is not reachable at any budget with probability "
                f"{never:.3g} under these limits, so no budget reaches it with confidence "
                f"{self.confidence:g}; ask for a higher loss or a lower confidence."
            )
        return tuple(out)


def budgets_for(
    source: AbstractPosterior,
    line: BudgetLine,
    targets: float | Sequence[float] | np.ndarray,
    confidence: float,
) -> Targets:
    """The least budget that reaches each target with a probability.

    Parameters
    ----------
    source
        A posterior or a stack.
    line
        Where the budget can be spent.
    targets
        Losses in nats per token.
    confidence
        Probability between 0 and 1, exclusive.

    Raises
    ------
    UsageError
        If a target or the confidence is out of its range.
    """
    losses = np.atleast_1d(np.asarray(targets, dtype=np.float64))
    if losses.ndim != 1 or not losses.size or not np.all(np.isfinite(losses) & (losses > 0)):
        raise UsageError(f"target must be a positive loss in nats per token; got {targets}.")
    if not 0 < confidence < 1:
        raise UsageError(f"confidence is a probability between 0 and 1; got {confidence:g}.")
    compute = [_budget(source, line, float(np.log(loss)), confidence) for loss in losses]
    needed = [np.exp(least_compute(source, line, float(np.log(loss)))) for loss in losses]
    return Targets(losses, confidence, np.exp(compute), np.concatenate(needed, axis=1))


def reach(frontier: Frontier, objective: AbstractObjective) -> Float[np.ndarray, "draw budget"]:
    """Log loss of every draw at the allocation that an objective recommends at each budget."""
    return frontier.losses(frontier.recommended(objective), drift=True)


def _budget(
    source: AbstractPosterior, line: BudgetLine, log_target: float, confidence: float
) -> float:
    """Log of the least budget; infinite where there is none."""

    def short(log_budget: float, objective: AbstractObjective) -> float:
        there = Frontier(source, line, np.array([log_budget]))
        return float(np.quantile(reach(there, objective), confidence)) - log_target

    def root(low: float, high: float, objective: AbstractObjective, precision: float) -> float:
        if short(low, objective) <= 0:
            return low
        return cast(float, optimize.brentq(short, low, high, args=(objective,), xtol=precision))

    scan = np.linspace(smallest(line), LARGEST, SCAN)
    # The median of N takes no search, and is close: the loss is flat.
    easy, exact = Median(), Quantile(confidence)
    gaps = np.quantile(reach(Frontier(source, line, scan), easy), confidence, axis=0) - log_target
    enough = np.flatnonzero(gaps <= 0)
    if not enough.size:
        # What the law may be wrong by grows with distance, so that a quantile may turn up again.
        near = float(scan[np.argmin(gaps)])
        return near if short(near, exact) <= 0 else math.inf
    low, high = float(scan[max(enough[0] - 1, 0)]), float(scan[enough[0]])
    above = root(low, high, easy, PRECISION)
    if short(above, exact) > 0:  # to the last digits
        return above
    below = above - FLAT
    while below > scan[0] and short(below, exact) <= 0:
        below -= FLAT
    return root(max(below, float(scan[0])), above, exact, PRECISION)
