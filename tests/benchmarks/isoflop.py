"""The best model size of a budget, read off its runs alone.

Runs whose ``6 N D`` agree to within 5% are one budget. Where it has five sizes or more, the best N
is the minimum of a parabola of log loss in log N through the five sizes nearest to the lowest loss,
with the standard error of least squares. A budget whose parabola has no minimum within its sizes,
or one that is not known to half an e-fold, is left out.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from bayescale.runs.table import Runs

SAME, SIZES, NEAREST = 1.05, 5, 5
"""Ratio of budgets that are one; sizes that a budget has; sizes that a parabola goes through."""

MOST_ERROR = 0.5
"""Standard error of log N up to which a minimum counts."""


def optima(runs: Runs) -> list[tuple[float, float, float]]:
    """Budget, log of its best N, and the standard error of that."""
    found = [(compute, minimum(n, loss)) for compute, n, loss in budgets(runs)]
    return [(c, *at) for c, at in found if at is not None and at[1] < MOST_ERROR]


def budgets(runs: Runs) -> Iterator[tuple[float, np.ndarray, np.ndarray]]:
    """Budget, log N, log loss of each isoFLOP group."""
    n, d = (np.log(runs.column(name)) for name in ("N", "D"))
    compute = np.log(6.0) + n + d
    order = np.argsort(compute)
    groups = np.cumsum(np.append(0, np.diff(compute[order]) > np.log(SAME)))
    for group in np.unique(groups):
        rows = order[groups == group]
        best = pd.DataFrame({"n": n[rows], "loss": np.log(runs.loss[rows])}).groupby("n").min()
        if len(best) >= SIZES:
            yield (
                float(np.exp(compute[rows].mean())),
                best.index.to_numpy(),
                best["loss"].to_numpy(),
            )


def minimum(n: np.ndarray, loss: np.ndarray) -> tuple[float, float] | None:
    """Log of the best N and its standard error, by a parabola; None without a minimum inside."""
    lowest = n[np.argmin(loss)]
    near = np.sort(np.argsort(np.abs(n - lowest), kind="stable")[:NEAREST])
    x, y = n[near] - lowest, loss[near]
    design = np.stack([np.ones_like(x), x, x**2], axis=1)
    theta, *_ = np.linalg.lstsq(design, y, rcond=None)
    left = y - design @ theta
    variance = float(left @ left) / max(len(x) - 3, 1)
    if theta[2] <= 0:
        return None
    at = -theta[1] / (2 * theta[2])
    slope = np.array([0.0, -1 / (2 * theta[2]), theta[1] / (2 * theta[2] ** 2)])
    error = float(np.sqrt(variance * slope @ np.linalg.inv(design.T @ design) @ slope))
    return (float(at + lowest), error) if x.min() < at < x.max() else None


def compute_of(past: Runs, compute: float) -> float:
    """E-folds from the largest fitted run to a budget."""
    n, d = (np.log(past.column(name)) for name in ("N", "D"))
    return float(np.log(compute / 6) - (n + d).max())
