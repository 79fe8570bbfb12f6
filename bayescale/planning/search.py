"""The lowest loss along the budget line, for every draw or for a reduction over draws.

A coarse grid in log N brackets the minimum, and halving by the sign of the slope finds it to the
last digits; the slope is the derivative of the program itself (`jax.jvp`). Within a limit that is
active the minimum is at the limit. The closed form (`theory.optimum`), where it holds, is tested
against this.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from bayescale.cost import AbstractCost
from bayescale.forked import require_unforked
from bayescale.models.drift import tilted
from bayescale.planning.budget_line import BudgetLine, log_data, log_resources
from bayescale.planning.deciding import decided_size
from bayescale.planning.objectives import AbstractObjective
from bayescale.posteriors.abstract import Piece
from theory.declaration.abstract_law import AbstractLaw

if TYPE_CHECKING:
    import jax

ANYWHERE, NEAR = (65, 60), (33, 44)
"""Points that bracket the minimum, and halvings: on a whole line, and between draws' optima."""


def best_sizes(
    piece: Piece,
    line: BudgetLine,
    log_budgets: np.ndarray,
    span: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Log N with the lowest loss, draw by draw.

    Parameters
    ----------
    piece
        The law and its draws.
    line
        Where the budget can be spent.
    log_budgets
        (draw or 1, budget).
    span
        Ends of log N, of the shape of `log_budgets`.
    """
    import jax

    require_unforked()
    shape = np.broadcast_shapes(
        log_budgets.shape, *(np.shape(array) for array in piece.parameters.values())
    )
    wide = [np.broadcast_to(array, shape) for array in (log_budgets, *span)]
    with jax.enable_x64(True):
        run = _per_draw(piece.law, line.cost, line.repeats(piece.law))
        return np.asarray(run(_numbers(piece), line.numbers, *wide))


def best_size(
    pieces: Sequence[Piece],
    line: BudgetLine,
    objective: AbstractObjective,
    log_budgets: np.ndarray,
    best: np.ndarray,
    span: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Log N that minimises an objective, (budget,).

    Where few draws decide, it is found from those (`bayescale.planning.deciding`), and from all of
    them where that is not proved to be the same.

    Parameters
    ----------
    pieces
        Laws with those of their draws that count.
    line
        Where the budget can be spent.
    objective
        Reduction over draws.
    log_budgets
        (budget,).
    best
        Lowest loss of each draw, (draw, budget).
    span
        Ends of log N, (budget,).
    """
    require_unforked()
    weights = objective.weights(sum(len(piece.tilt) for piece in pieces))
    if weights is not None and len(log_budgets):
        found = decided_size(pieces, line, np.array(weights), log_budgets, span, NEAR)
        if found.proved.all():
            return found.log_size
    return over_all(pieces, line, objective, log_budgets, best, span)


def over_all(
    pieces: Sequence[Piece],
    line: BudgetLine,
    objective: AbstractObjective,
    log_budgets: np.ndarray,
    best: np.ndarray,
    span: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Log N that minimises an objective, every draw taken at each step; see `best_size`."""
    import jax

    laws = tuple(piece.law for piece in pieces)
    repeats = tuple(line.repeats(law) for law in laws)
    columns = [_numbers(piece) for piece in pieces]
    with jax.enable_x64(True):
        run = _over_draws(laws, line.cost, repeats, objective)
        return np.asarray(run(columns, line.numbers, best, log_budgets[None], *span))


def _numbers(piece: Piece) -> tuple[dict[str, np.ndarray], np.ndarray, float]:
    """What a compiled program takes of a piece."""
    return dict(piece.parameters), piece.tilt, piece.top


@lru_cache(maxsize=64)
def _per_draw(law: AbstractLaw, cost: AbstractCost, repeats: bool) -> Callable[..., Any]:
    import jax
    import jax.numpy as jnp

    def run(columns: Any, numbers: Any, log_budget: Any, low: Any, high: Any) -> "jax.Array":
        parameters, tilt, top = columns
        sizes = [r.name for r in law.sizes]

        def kernel(log_size: "jax.Array") -> "jax.Array":
            data = log_data(cost, numbers, log_size, log_budget, jnp)
            at = log_resources(law, repeats, numbers, log_size, data, jnp)
            return law.log_kernel(parameters, tilted(at, sizes, tilt, top, jnp), jnp)

        return _minimise(kernel, low, high, *ANYWHERE)

    return jax.jit(run)


@lru_cache(maxsize=64)
def _over_draws(
    laws: tuple[AbstractLaw, ...],
    cost: AbstractCost,
    repeats: tuple[bool, ...],
    objective: AbstractObjective,
) -> Callable[..., Any]:
    import jax
    import jax.numpy as jnp

    def run(
        columns: Any, numbers: Any, best: Any, log_budget: Any, low: Any, high: Any
    ) -> "jax.Array":
        def risk(log_size: "jax.Array") -> "jax.Array":
            size = log_size[None]
            data = log_data(cost, numbers, size, log_budget, jnp)
            losses = []
            for law, (own, tilt, top), again in zip(laws, columns, repeats, strict=True):
                at = log_resources(law, again, numbers, size, data, jnp)
                sizes = [r.name for r in law.sizes]
                losses.append(law.log_loss(own, tilted(at, sizes, tilt, top, jnp), jnp))
            return objective.risk(jnp.exp(jnp.concatenate(losses)), best, jnp)

        return _minimise(risk, low, high, *NEAR)

    return jax.jit(run)


def _minimise(
    function: Callable[[Any], Any], low: Any, high: Any, points: int, halvings: int
) -> "jax.Array":
    """Where a function that acts on each element by itself is lowest between `low` and `high`."""
    import jax
    import jax.numpy as jnp

    step = (high - low) / (points - 1)

    def look(found: Any, i: Any) -> Any:
        lowest, where = found
        values = function(low + i * step)
        better = values < lowest
        return (jnp.where(better, values, lowest), jnp.where(better, i, where)), None

    start = (jnp.full_like(low, jnp.inf), jnp.zeros_like(low))
    (lowest, where), _ = jax.lax.scan(look, start, jnp.arange(points, dtype=low.dtype))
    ends = low + jnp.maximum(where - 1, 0) * step, low + jnp.minimum(where + 1, points - 1) * step

    def halve(_: Any, bounds: Any) -> Any:
        left, right = bounds
        middle = 0.5 * (left + right)
        _, slope = jax.jvp(function, (middle,), (jnp.ones_like(middle),))
        falling = slope < 0
        return jnp.where(falling, middle, left), jnp.where(falling, right, middle)

    left, right = jax.lax.fori_loop(0, halvings, halve, ends)
    found = 0.5 * (left + right)
    # Of a quantile, which has many shallow minima, a point of the grid may be lower.
    values = function(found)
    rounding = 4 * jnp.finfo(low.dtype).eps * jnp.abs(values)
    return jnp.where(lowest < values - rounding, low + where * step, found)
