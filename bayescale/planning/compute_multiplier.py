"""Compute multipliers: how much less the best plan would have needed for the same loss.

The waste of an allocation that spends C and reaches the loss L is ``C / C*(L)``, where C*(L) is
the least budget of that draw whose optimum reaches L; it is 1 where nothing is wasted.
"""

import math
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from bayescale.cost import ProductCost
from bayescale.planning.allocation import optimum
from bayescale.planning.budget_line import BudgetLine
from bayescale.posteriors.abstract import AbstractPosterior
from bayescale.posteriors.posterior import Posterior
from theory.declaration.logdomain import value
from theory.optimum import universal_exponents

LARGEST = math.log(1e60)
"""More compute than any: what is not reached with it counts as not reachable."""

HALVINGS = 50


def smallest(line: BudgetLine) -> float:
    """Log of a budget at which any plan on this line begins: the smallest model allowed."""
    log_size = math.log(min(line.sizes)) if line.sizes else 0.0
    return float(line.cost.log_token(np.asarray(log_size))) + math.log1p(line.served) + 1e-6


def least_compute(
    source: AbstractPosterior, line: BudgetLine, log_loss: Mapping[str, np.ndarray] | float
) -> Float[np.ndarray, "draw point"]:
    """Log of the least budget with which each draw's optimum reaches a loss.

    Parameters
    ----------
    source
        A posterior or a stack.
    line
        Where the budget can be spent.
    log_loss
        Log loss by the law alone: for each member (draw, point), or one number.

    Returns
    -------
    (draw, point); infinite where no budget reaches it.
    """
    parts = {}
    for name, post in source.members.items():
        count = len(next(iter(post.log_parameters.values())))
        given = log_loss[name] if isinstance(log_loss, Mapping) else np.full((count, 1), log_loss)
        parts[name] = _inverse(post, line, given)
    return source.mix(parts)


def _inverse(posterior: Posterior, line: BudgetLine, log_loss: np.ndarray) -> np.ndarray:
    low = np.full(log_loss.shape, smallest(line))
    high = np.full(log_loss.shape, LARGEST)

    def reached(log_budgets: np.ndarray) -> np.ndarray:
        # A loss is reached at the optimum that has it, whatever the last digits say.
        return _best(posterior, line, log_budgets) <= log_loss + 1e-14

    reachable, at_once = reached(high), reached(low)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        enough = reached(middle)
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.where(reachable, np.where(at_once, smallest(line), high), np.inf)


def _best(posterior: Posterior, line: BudgetLine, log_budgets: np.ndarray) -> np.ndarray:
    return np.stack(
        [
            optimum(posterior, line, log_budgets[:, [j]]).log_loss[:, 0]
            for j in range(log_budgets.shape[1])
        ],
        axis=1,
    )


def exponents(posterior: Posterior, line: BudgetLine) -> dict[str, Float[np.ndarray, " draw"]]:
    """``R* ~ C^a`` of each resource, and of the kernel, draw by draw.

    Empty for a law without weights, and where more than a product of powers decides.
    """
    law, cost = posterior.law, line.cost
    if law.weights is None or not line.plain or not isinstance(cost, ProductCost):
        return {}
    if set(law.sizes) != set(cost.orders):
        return {}
    universal = universal_exponents(law, {r: cost.orders[r] for r in law.sizes})
    named = {r.name: expr for r, expr in universal.resources.items()} | {"kernel": universal.kernel}
    shape = next(iter(posterior.log_parameters.values())).shape
    return {
        name: np.broadcast_to(value(expr, posterior.log_parameters, np), shape)
        for name, expr in named.items()
    }
