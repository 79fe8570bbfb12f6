"""What a batch of runs is worth: the loss that not knowing the optimum costs, as compute."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bayescale.designing.information import Batch, LinearGaussian
from bayescale.planning.allocation import optimum
from bayescale.planning.budget_line import BudgetLine
from bayescale.posteriors.posterior import Posterior
from theory.declaration.symbols import N

NEAR = 0.05
"""Step in log N or log C of the differences that give curvature and slope of the loss."""


@dataclass(frozen=True)
class ValueOfInformation:
    """What a batch is expected to save when the target budget is spent.

    Not knowing N* exactly costs the regret ``h var(log N)/2``, with h the curvature of the loss
    along the budget line. It is turned into compute by the slope of the frontier.

    Parameters
    ----------
    regret, regret_after
        Expected regret of the best choice of N now and after the batch, in nats per token.
    saved
        FLOP at the target whose loss the difference is worth.
    cost
        Of the batch, in FLOP.
    """

    regret: float
    regret_after: float
    saved: float
    cost: float

    @property
    def pays(self) -> bool:
        """Whether more is saved than spent."""
        return self.saved > self.cost

    def sentence(self, at: float) -> str:
        """In words."""
        told = (
            f"at {at:.3g} FLOP the choice of N costs {self.regret:.2g} nats now and "
            f"{self.regret_after:.2g} after the batch, worth {self.saved:.2g} FLOP for "
            f"{self.cost:.2g}"
        )
        if self.pays:
            return told + ": the batch pays for itself by the allocation alone."
        return (
            told + ": for the allocation alone stop here; runs pay only if the loss at the target "
            "must be known better."
        )


def value_of(
    posts: Sequence[Posterior],
    line: BudgetLine,
    at: float,
    views: Sequence[LinearGaussian],
    begin: Sequence[np.ndarray],
    batch: Batch,
) -> ValueOfInformation:
    """What a batch is worth, over the draws of all laws.

    Parameters
    ----------
    posts
        The draws of each law.
    line, at
        Where the target budget can be spent, and that budget in FLOP.
    views, begin, batch
        What the laws see of the candidates, covariances before the batch, and the batch.
    """
    before, after, slopes = [], [], []
    for post, view, now, then in zip(posts, views, begin, batch.covariances, strict=True):
        bend, slope = _shape_of(post, line, math.log(at))
        before.append(0.5 * bend * view.spread(now)[:, 0, 0])
        after.append(0.5 * bend * view.spread(then)[:, 0, 0])
        slopes.append(slope)
    regret, later = (float(np.concatenate(part).mean()) for part in (before, after))
    slope = float(np.concatenate(slopes).mean())
    return ValueOfInformation(regret, later, at * (regret - later) / slope, batch.cost)


def _shape_of(
    post: Posterior, line: BudgetLine, log_budget: float
) -> tuple[Float[np.ndarray, " draw"], Float[np.ndarray, " draw"]]:
    """Curvature of the loss in log N along the line, and fall of the best loss in log C."""
    steps = NEAR * np.array([-1.0, 0.0, 1.0])
    found = optimum(post, line, log_budget + steps)
    below, _, above = np.exp(found.log_loss).T
    sizes = found.logs[N.name][:, [1]] + steps[None]
    at = line.log_resources(post.law, sizes, line.log_data(sizes, log_budget))
    left, middle, right = np.exp(post.log_law(at)).T
    bend = (left + right - 2.0 * middle) / NEAR**2
    return np.maximum(bend, 0.0), (below - above) / (2.0 * NEAR)
