"""Where the optimum of every draw of one law lies on a budget line.

In closed form where the law has one and only caps limit the line; otherwise along the line
(`bayescale.planning.search`), or, of a cost that is a product of other powers, by `theory.optimum`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bayescale.cost import ProductCost
from bayescale.errors import UsageError
from bayescale.models.drift import tilted
from bayescale.planning.budget_line import BudgetLine
from bayescale.planning.search import best_sizes
from bayescale.posteriors.abstract import AbstractPosterior
from bayescale.posteriors.posterior import Posterior
from theory.declaration.abstract_law import AbstractLaw
from theory.declaration.symbols import D, N
from theory.errors import TheoryError
from theory.optimum import closed_form_allocation, has_closed_form, solve_allocation

AT_AN_END = 1e-3
"""In log N or log D: an optimum nearer to one parameter, or to one token, is none."""


@dataclass(frozen=True)
class Optimum:
    """The optimum of every draw of one posterior at every budget.

    Parameters
    ----------
    logs
        Log of each resource that is spent, (draw, budget).
    log_loss
        Log loss there by the law, its ratio of sizes tilted beyond the runs, (draw, budget).
    log_drifted
        The same with its slope drifted too (`bayescale.models.drift`).
    """

    logs: Mapping[str, Float[np.ndarray, "draw budget"]]
    log_loss: Float[np.ndarray, "draw budget"]
    log_drifted: Float[np.ndarray, "draw budget"]


def optimum(posterior: Posterior, line: BudgetLine, log_budgets: np.ndarray) -> Optimum:
    """Spend budgets on the best resources of each draw.

    Parameters
    ----------
    posterior
        Draws of a law.
    line
        Where a budget can be spent.
    log_budgets
        (budget,), or (draw, budget) for budgets of each draw's own.

    Raises
    ------
    UsageError
        If a cap leaves nothing, or for some draws there is no balanced optimum.
    """
    law = posterior.law
    rows = np.atleast_2d(log_budgets)
    if line.spends_size_and_data:
        log_size = _log_sizes(posterior, line, rows)
        log_data = line.log_data(log_size, rows)
        spent = {N.name: log_size, D.name: log_data}
        at = line.log_resources(law, log_size, log_data)
    else:
        spent = _product(posterior, line, rows)
        at = spent | line.log_fixed
    log_loss = posterior.log_law(at)
    shape = log_loss.shape
    logs = {r.name: np.broadcast_to(spent[r.name], shape) for r in law.resources if r.name in spent}
    return Optimum(logs, log_loss, log_loss + posterior.log_drift(spent | _rest(at, spent)))


def losses_at(
    source: AbstractPosterior,
    line: BudgetLine,
    log_size: np.ndarray,
    log_data: np.ndarray,
    *,
    drift: bool,
) -> Float[np.ndarray, "draw point"]:
    """Log loss of the mixture at model sizes and tokens, (point,) each."""
    spent = {N.name: np.atleast_2d(log_size), D.name: np.atleast_2d(log_data)}
    parts = {}
    for name, post in source.members.items():
        at = line.log_resources(post.law, *spent.values())
        part = post.log_law(at)
        parts[name] = part + post.log_drift(spent | _rest(at, spent)) if drift else part
    return source.mix(parts)


def _rest(at: Mapping[str, np.ndarray], spent: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: array for name, array in at.items() if name not in spent}


def _log_sizes(posterior: Posterior, line: BudgetLine, rows: np.ndarray) -> np.ndarray:
    law, (tilt, top) = posterior.law, posterior.tilt
    if line.sizes:
        return _snap(posterior, line, rows)
    if (closed := closed_form(law, line)) is not None and (evenly(closed) or not tilt.any()):
        ceiling = np.minimum(rows, math.log(line.compute_cap)) - closed.log_factor
        orders = dict(closed.orders)
        spent = closed_form_allocation(law, posterior.columns, ceiling, orders)
        # At N exp(t G), D exp(-t G) lies the law's own optimum, at the same product and cost.
        log_size = tilted(spent, [N.name, D.name], -tilt, top, np)[N.name]
        return log_size if line.plain else np.clip(log_size, *line.span(rows))
    (piece,) = posterior.pieces()
    return best_sizes(piece, line, rows, line.span(rows))


def evenly(cost: ProductCost) -> bool:
    """Whether a cost depends on the product of size and data alone."""
    return cost.orders[N] == cost.orders[D]


def require_balance(posterior: Posterior, found: Optimum) -> None:
    """Refuse optima at one parameter or one token, where the budget line ends.

    Raises
    ------
    UsageError
        If there is one.
    """
    lost = (found.logs[N.name] < AT_AN_END) | (found.logs[D.name] < AT_AN_END)
    if lost.any():
        raise UsageError(
            f"for {lost.sum()} of {lost.size} draws the loss of law '{posterior.law.name}' falls "
            "all the way to N = 1 or D = 1 at this budget, so there is no balanced optimum; the "
            "data do not determine one of the exponents."
        )


def closed_form(law: AbstractLaw, line: BudgetLine) -> ProductCost | None:
    """The cost as a product of powers, where the optimum on a line is closed."""
    cost = line.cost
    if not isinstance(cost, ProductCost) or line.served or line.sizes or line.repeats(law):
        return None
    if set(law.resources) != set(cost.orders) or (not line.plain and cost.orders[D] != 1):
        return None
    return cost if has_closed_form(law, dict(cost.orders)) else None


def _product(posterior: Posterior, line: BudgetLine, rows: np.ndarray) -> dict[str, np.ndarray]:
    law, cost = posterior.law, line.cost
    if not (isinstance(cost, ProductCost) and line.plain):
        raise UsageError(
            f"limits, serving and repeated data are planned for costs in N and D; cost "
            f"'{cost.name}' is one in {', '.join(r.name for r in cost.resources)}."
        )
    orders = {r: cost.orders[r] for r in law.resources if r in cost.orders}
    scaled = rows - cost.log_factor
    if has_closed_form(law, orders):
        return closed_form_allocation(law, posterior.columns, scaled, orders)
    fixed = {r: line.fixed[r.name] for r in law.resources if r not in orders}
    try:
        return solve_allocation(law, posterior.columns, scaled, orders, fixed)
    except TheoryError as error:
        raise UsageError(str(error)) from error


def _snap(posterior: Posterior, line: BudgetLine, rows: np.ndarray) -> np.ndarray:
    """Log of the allowed size with the lowest loss, draw by draw."""
    law, parameters = posterior.law, posterior.columns
    shape = np.broadcast_shapes(rows.shape, *(a.shape for a in parameters.values()))
    wide = np.broadcast_to(rows, shape)
    logs = line.allowed(float(np.max(rows)))
    for log_budget in np.unique(rows):
        line.allowed(float(log_budget))
    lowest, where = np.full(shape, np.inf), np.zeros(shape)
    for log_size in logs:
        with np.errstate(divide="ignore"):  # no data left is minus infinity
            log_data = line.log_data(np.full(shape, log_size), wide)
        affordable = log_data >= 0
        at = line.log_resources(law, np.full(shape, log_size), np.maximum(log_data, 0.0))
        at = tilted(at, posterior.sizes, *posterior.tilt, np)
        kernel = np.where(affordable, law.log_kernel(parameters, at, np), np.inf)
        better = kernel < lowest
        lowest, where = np.where(better, kernel, lowest), np.where(better, log_size, where)
    return where
