"""Budgets for targets: what it takes to reach a loss with a given probability.

The budget at a confidence is the least C for which one allocation (N, D), chosen before the law is
known, has ``P(L(N, D) <= target) >= confidence`` over draws, what the law may be wrong by beyond
the runs included. A point estimate's budget reaches its target about every other time.

What the law may be wrong by grows with distance, so that a far target may be out of reach at a high
confidence whatever is spent. Then the answer is the highest confidence that a budget within the
range believed has (`bayescale.posteriors.distance`), and what the law alone would take.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd
from jaxtyping import Float

from bayescale.errors import UsageError
from bayescale.planning.budget_line import BudgetLine
from bayescale.planning.compute_multiplier import LARGEST, least_compute, smallest
from bayescale.planning.frontier import QUANTILES, Frontier
from bayescale.planning.objectives import AbstractObjective
from bayescale.planning.objectives.median import Median
from bayescale.planning.objectives.quantile import Quantile
from bayescale.posteriors.abstract import AbstractPosterior
from bayescale.posteriors.distance import REFUSE
from theory.declaration.symbols import D, N

SCAN = 160
"""Budgets at which a coarse look brackets the answer, evenly spaced in the log."""

PRECISION = 1e-7
"""In log compute."""

FLAT = 0.05
"""In log compute, about what the best choice of N saves over the median of the optimal N."""


@dataclass(frozen=True, eq=False, repr=False)
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
    law_alone
        The same with the law taken as exact beyond the runs.
    reached
        Highest probability with which a budget within the range believed reaches each; the
        confidence asked, where that is reached.
    best
        The least budget that has it; infinite where none reaches the target at all.
    needed
        Budget that each draw's law would need were it known to be true, its slope not drifted;
        infinite where none suffices.
    """

    loss: Float[np.ndarray, " target"]
    confidence: float
    compute: Float[np.ndarray, " target"]
    law_alone: Float[np.ndarray, " target"]
    reached: Float[np.ndarray, " target"]
    best: Float[np.ndarray, " target"]
    needed: Float[np.ndarray, "draw target"]

    def __repr__(self) -> str:
        told = ", ".join(
            f"{loss:g} at {budget:.3g} FLOP" if np.isfinite(budget) else f"{loss:g} out of reach"
            for loss, budget in zip(self.loss, self.compute, strict=True)
        )
        return f"Targets(with confidence {self.confidence:g}: {told})"

    @property
    def unreachable(self) -> Float[np.ndarray, " target"]:
        """Probability that by the law alone no budget reaches each target."""
        return np.mean(np.isinf(self.needed), axis=0)

    def summary(self) -> pd.DataFrame:
        """One row a target: the budget at the confidence, and quantiles of what draws need.

        Returns
        -------
        pandas.DataFrame
            Index: target. Columns: confidence, compute (infinite where no budget is enough),
            reached (the highest confidence that a budget has) and best (that budget), law_alone
            (compute with the law taken as exact), q10, q50, q90 of the budget that each draw's law
            needs, unreachable (probability that by the law alone none is enough).
        """
        table = pd.DataFrame(
            {
                "confidence": self.confidence,
                "compute": self.compute,
                "reached": self.reached,
                "best": self.best,
                "law_alone": self.law_alone,
            }
        )
        for name, level in QUANTILES.items():
            # Between a number and infinity there is no quantile by interpolation.
            table[name] = np.quantile(self.needed, level, axis=0, method="higher")
        table["unreachable"] = self.unreachable
        return table.set_axis(pd.Index(self.loss, name="target"))

    def reasons(self) -> tuple[str, ...]:
        """A sentence for each target that no budget reaches with the confidence asked."""
        missed = np.flatnonzero(np.isinf(self.compute)).tolist()
        return tuple(self._reason(i) for i in missed)

    def _reason(self, i: int) -> str:
        asked = f"a loss of {self.loss[i]:g} with confidence {self.confidence:g}"
        most = (
            f"{self.reached[i]:.2g}, at {self.best[i]:.3g} FLOP" if self.reached[i] > 0 else "none"
        )
        told = f"no budget within the range believed reaches {asked}: the highest is {most}"
        if np.isfinite(self.law_alone[i]):
            return (
                f"{told}. By the law alone (drift=False, --no-drift) {self.law_alone[i]:.3g} FLOP "
                "would do; between the two stands what the law may be wrong by beyond the runs, "
                "which runs in between would narrow. Plan for a higher loss or a lower confidence "
                "until then."
            )
        return (
            f"{told}. By the law alone it is out of reach under these limits with probability "
            f"{self.unreachable[i]:.3g}; ask for a higher loss or a lower confidence."
        )


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
    logs = np.log(losses).tolist()
    compute = np.exp([_budget(source, line, at, confidence) for at in logs])
    alone = np.exp([_budget(source.exact, line, at, confidence) for at in logs])
    best = [
        (confidence, budget) if np.isfinite(budget) else _surest(source, line, at)
        for budget, at in zip(compute, logs, strict=True)
    ]
    reached, where = np.array(best).T
    needed = [np.exp(least_compute(source, line, at)) for at in logs]
    needed = np.concatenate(needed, axis=1)
    return Targets(losses, confidence, compute, alone, reached, where, needed)


def reach(frontier: Frontier, objective: AbstractObjective) -> Float[np.ndarray, "draw budget"]:
    """Log loss of every draw at the allocation that an objective recommends at each budget."""
    return frontier.losses(frontier.recommended(objective), drift=True)


def _budget(
    source: AbstractPosterior, line: BudgetLine, log_target: float, confidence: float
) -> float:
    """Log of the least budget; infinite where there is none."""
    from scipy import optimize  # a plan at a budget needs it not, and it is slow to import

    def short(log_budget: float, objective: AbstractObjective) -> float:
        there = Frontier(source, line, np.array([log_budget]))
        return float(np.quantile(reach(there, objective), confidence)) - log_target

    def root(low: float, high: float, objective: AbstractObjective, precision: float) -> float:
        if short(low, objective) <= 0:
            return low
        return cast(float, optimize.brentq(short, low, high, args=(objective,), xtol=precision))

    # The median of N takes no search, and is close: the loss is flat.
    easy, exact = Median(), Quantile(confidence)
    scan, losses = _look(source, line)
    gaps = np.quantile(losses, confidence, axis=0) - log_target
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


def _look(source: AbstractPosterior, line: BudgetLine) -> tuple[np.ndarray, np.ndarray]:
    """Log budgets within the range believed, and log losses at the median of N, (draw, budget)."""
    scan = np.linspace(smallest(line), LARGEST, SCAN)
    frontier = Frontier(source, line, scan)
    log_size = frontier.recommended(Median())
    sizes = {N.name: np.exp(log_size), D.name: np.exp(frontier.log_data(log_size))}
    far = source.distance(sizes)
    losses = frontier.losses(log_size, drift=True)
    near = slice(None) if far is None else np.flatnonzero(far <= REFUSE)
    return scan[near], losses[:, near]


def _surest(source: AbstractPosterior, line: BudgetLine, log_target: float) -> tuple[float, float]:
    """The highest probability of a target at any budget, and the least budget that has it."""
    scan, losses = _look(source, line)
    chances = np.mean(losses <= log_target, axis=0)
    where = int(np.argmax(chances))
    return float(chances[where]), float(np.exp(scan[where])) if chances[where] > 0 else math.inf
