"""The lowest quantile or tail mean along the budget line, from the draws that decide it.

A quantile is the loss of one or two draws, a tail mean that of the worst ones: with the losses in
ascending order both are ``sum_i w_i L_(i)`` with most weights zero (`AbstractObjective.weights`).
The grid that brackets the minimum takes all draws; the halvings take a window of ranks around those
with a weight. Within the bracket no draw outside the window can come to decide, which is proved
from three points of it: of a loss that is convex in log N, the larger end bounds it from above and
its secants from below. Where the proof fails, or the risk of all draws at the minimum is not that
of the window, `decided_size` says so, and the search takes all draws.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from bayescale.cost import AbstractCost
from bayescale.models.drift import tilted
from bayescale.planning.budget_line import BudgetLine, log_data, log_resources
from bayescale.posteriors.abstract import Piece
from theory.declaration.abstract_law import AbstractLaw

WINDOW = 512
"""Draws beside those with a weight that the halvings take."""


class Found(NamedTuple):
    """A log N a budget, and whether it is proved to be what the search over all draws finds."""

    log_size: Float[np.ndarray, " budget"]
    proved: Bool[np.ndarray, " budget"]


class _Window(NamedTuple):
    """Draws of one law that may decide (their indices), and those ranked below and above them."""

    inside: Int[np.ndarray, "budget chosen"]
    below: Bool[np.ndarray, "budget draw"]
    above: Bool[np.ndarray, "budget draw"]


def decided_size(
    pieces: Sequence[Piece],
    line: BudgetLine,
    weights: Float[np.ndarray, " rank"],
    log_budgets: Float[np.ndarray, " budget"],
    span: tuple[np.ndarray, np.ndarray],
    effort: tuple[int, int],
) -> Found:
    """Log N at which ``sum_i w_i L_(i)`` is lowest.

    Parameters
    ----------
    pieces
        Laws with those of their draws that count.
    line
        Where the budget can be spent.
    weights
        Of the losses in ascending order, summing to 1.
    log_budgets
        Where.
    span
        Ends of log N, (budget,).
    effort
        Points of the grid that brackets the minimum, and halvings.
    """
    points, halvings = effort
    (low, high), nonzero = span, np.flatnonzero(weights)
    used = np.arange(nonzero[0], nonzero[-1] + 1)

    def losses(log_size: np.ndarray) -> list[np.ndarray]:
        """(budget, draw) of each law."""
        return [np.exp(_log_losses(piece, line, log_size, log_budgets)) for piece in pieces]

    def risk(log_size: np.ndarray) -> np.ndarray:
        return _sorted_at(np.concatenate(losses(log_size), axis=1), used) @ weights[used]

    step = (high - low) / (points - 1)
    grid = np.stack([risk(low + i * step) for i in range(points)])
    where, lowest = np.argmin(grid, axis=0), grid.min(axis=0)
    left = low + np.maximum(where - 1, 0) * step
    right = low + np.minimum(where + 1, points - 1) * step
    three = [losses(at) for at in (left, 0.5 * (left + right), right)]
    windows = _windows(three[1], used)
    of_window = _risk_of(pieces, line, windows, weights, log_budgets)
    for _ in range(halvings):
        middle = 0.5 * (left + right)
        falling = of_window(middle)[1] < 0
        left, right = np.where(falling, middle, left), np.where(falling, right, middle)
    found = 0.5 * (left + right)
    # Of a quantile, which has many shallow minima, a point of the grid may be lower.
    values = risk(found)
    rounding = 4 * np.finfo(float).eps * np.abs(values)
    proved = _proved(three, windows, used) & np.isclose(of_window(found)[0], values, 1e-12, 0.0)
    return Found(np.where(lowest < values - rounding, low + where * step, found), proved)


def _log_losses(
    piece: Piece, line: BudgetLine, log_size: np.ndarray, log_budgets: np.ndarray
) -> Float[np.ndarray, "budget draw"]:
    law, tilt = piece.law, piece.tilt.T
    size = log_size[:, None]
    at = line.log_resources(law, size, line.log_data(size, log_budgets[:, None]))
    at = tilted(at, [r.name for r in law.sizes], tilt, piece.top, np)
    out = law.log_loss({n: a.T for n, a in piece.parameters.items()}, at, np)
    return np.broadcast_to(out, (len(log_size), tilt.shape[1]))


def _sorted_at(losses: np.ndarray, ranks: np.ndarray) -> Float[np.ndarray, "budget rank"]:
    """The losses of certain ranks, ascending ranks without gaps."""
    first, last = int(ranks[0]), int(ranks[-1])
    part = np.partition(losses, sorted({first, last}), axis=1)[:, first : last + 1]
    return np.sort(part, axis=1)


def _windows(losses: Sequence[np.ndarray], used: np.ndarray) -> list[_Window]:
    """The draws of each law whose rank is near those that have a weight."""
    whole = _sorted_at(np.concatenate(losses, axis=1), used)
    out = []
    for own in losses:
        count, order = own.shape[1], np.argsort(own, axis=1)
        first = (own < whole[:, :1]).sum(axis=1)
        weighted = int(((own <= whole[:, -1:]).sum(axis=1) - first).max())
        # As wide at every budget, and in steps, so that few shapes are compiled.
        width = min(count, math.ceil((weighted + WINDOW) / WINDOW) * WINDOW)
        start = np.clip(first - WINDOW // 2, 0, count - width)[:, None]
        rank = np.argsort(order, axis=1)
        inside = np.take_along_axis(order, start + np.arange(width), axis=1)
        out.append(_Window(inside, rank < start, rank >= start + width))
    return out


def _proved(
    three: Sequence[Sequence[np.ndarray]], windows: Sequence[_Window], used: np.ndarray
) -> Bool[np.ndarray, " budget"]:
    """Whether no draw outside its window can have a weight within the bracket.

    Parameters
    ----------
    three
        Losses of each law, (budget, draw), at the left end, the middle and the right end.
    windows
        One a law.
    used
        Ranks with a weight.
    """
    left, middle, right = (np.concatenate(losses, axis=1) for losses in three)
    upper = np.maximum(np.maximum(left, right), middle)
    lower = np.minimum(middle, 2 * middle - np.maximum(left, right))
    least, most = _sorted_at(lower, used)[:, 0], _sorted_at(upper, used)[:, -1]
    below, above = (
        np.concatenate([getattr(window, side) for window in windows], axis=1)
        for side in ("below", "above")
    )
    under = np.where(below, upper, -np.inf).max(axis=1) < least
    return under & (np.where(above, lower, np.inf).min(axis=1) > most)


def _risk_of(
    pieces: Sequence[Piece],
    line: BudgetLine,
    windows: Sequence[_Window],
    weights: np.ndarray,
    log_budgets: np.ndarray,
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """The risk of the draws in the windows, and its slope, at a log N of each budget."""
    import jax

    columns, below = [], np.zeros(len(log_budgets), int)
    for piece, window in zip(pieces, windows, strict=True):
        rows = len(piece.tilt)
        parameters = {
            name: np.broadcast_to(a[:, 0], rows)[window.inside]
            for name, a in piece.parameters.items()
        }
        columns.append((parameters, piece.tilt[:, 0][window.inside], piece.top))
        below += window.below.sum(axis=1)
    chosen = sum(window.inside.shape[1] for window in windows)
    own = weights[below[:, None] + np.arange(chosen)]
    laws = tuple(piece.law for piece in pieces)
    run = _with_slopes(laws, line.cost, tuple(line.repeats(law) for law in laws))

    def risk(log_size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with jax.enable_x64(True):
            both = run(columns, line.numbers, log_size[:, None], log_budgets[:, None])
        losses, slopes = (np.asarray(array) for array in both)
        order = np.argsort(losses, axis=1)
        ordered = (np.take_along_axis(array, order, axis=1) for array in (losses, slopes))
        value, slope = ((own * array).sum(axis=1) for array in ordered)
        return value, slope

    return risk


@lru_cache(maxsize=64)
def _with_slopes(
    laws: tuple[AbstractLaw, ...], cost: AbstractCost, repeats: tuple[bool, ...]
) -> Callable[..., Any]:
    """The losses of draws along the budget line, and their slopes in log N, (budget, draw)."""
    import jax
    import jax.numpy as jnp

    def run(columns: Any, numbers: Any, log_size: Any, log_budget: Any) -> Any:
        def losses(size: Any) -> Any:
            data = log_data(cost, numbers, size, log_budget, jnp)
            parts = []
            for law, (own, tilt, top), again in zip(laws, columns, repeats, strict=True):
                at = log_resources(law, again, numbers, size, data, jnp)
                at = tilted(at, [r.name for r in law.sizes], tilt, top, jnp)
                parts.append(law.log_loss(own, at, jnp))
            return jnp.exp(jnp.concatenate(parts, axis=1))

        return jax.jvp(losses, (log_size,), (jnp.ones_like(log_size),))

    return jax.jit(run)
