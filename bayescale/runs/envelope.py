"""The best of each size of a sweep, with the chance of a best of many taken off.

The least of k noisy losses lies below the loss of the best setting: of k equal ones by what the
least of k draws of the noise does. With the losses ``m_i`` of a smooth surface over the swept
columns and noise of standard deviation ``s``, both of log loss, the least observed is too low by

    b = min_i m_i - E min_i (m_i + s z_i),   z_i ~ Normal(0, 1) independent,

which is taken off. ``m_i`` is a quadratic in the logarithms of the swept columns, fitted to the
runs of a cell near its best, and ``s`` pools what these leave over all cells. b of a sweep of one
value is that of the order statistic of k draws.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from bayescale.errors import RunsError, UsageError
from bayescale.runs.numbers import positive_column
from bayescale.runs.table import Runs

NEAR = 0.03
"""Log loss above the best up to which a run belongs to the bottom of its cell."""

DEEP = 3.0
"""And so many noise scales more: the best lies below the bottom's middle, and a narrow band above
it would see half of the noise."""

PASSES = 3
SPARE = 2
"""Runs that the bottom has beyond one a coefficient, at least; the next best ones are taken."""

DRAWS = 4000


def envelope(runs: Runs, over: Sequence[str], *, seed: int = 0) -> Runs:
    """The best run of each pair of sizes, its loss corrected for having been chosen.

    Parameters
    ----------
    runs
        A table with several runs of equal N and D (or what it has of them).
    over
        Columns of positive numbers that were swept, such as ``["lr", "bs"]``.
    seed
        Seed of the draws by which the correction is computed.

    Returns
    -------
    Runs
        One row a cell: that of the least loss, with the corrected loss; ``loss_observed`` is the
        loss as it was, ``best_of`` the number of runs it was the best of. The notes say the noise
        and the largest correction.

    Raises
    ------
    UsageError
        If no column is named.
    RunsError
        If a column is absent or not positive, or no two runs have equal sizes.

    Examples
    --------
    >>> import pandas as pd
    >>> import bayescale as bs
    >>> swept = {"lr": [1e-4, 3e-4, 1e-3], "loss": [3.2, 3.0, 3.3]}
    >>> table = pd.DataFrame({"N": 1e7, "D": 1e9, **swept})
    >>> best = bs.envelope(bs.read_runs(table), ["lr"])
    >>> len(best), best.table["lr"].item(), best.table["best_of"].item()
    (1, 0.0003, 3)
    """
    if not over:
        raise UsageError('over= names no column; name those that were swept, such as over=["lr"].')
    logs = np.stack([np.log(positive_column(runs, name)) for name in over], axis=1)
    sizes = [name for name in ("N", "D") if name in runs.table] or [*runs.resources]
    cells = runs.table.groupby(sizes, sort=False).ngroup().to_numpy()
    if len(runs) == cells.max() + 1:
        raise RunsError(
            f"{runs.name}: no two runs have equal {' and '.join(sizes)}, so there is no best of "
            "several to keep; leave the envelope out."
        )
    log_loss = np.log(runs.loss)
    members = [np.flatnonzero(cells == cell) for cell in range(cells.max() + 1)]
    noise = 0.0
    for _ in range(PASSES):
        near = NEAR + DEEP * noise
        bottoms = [_bottom(log_loss, logs, rows, near) for rows in members]
        noise = _pooled(bottoms)
    rng = np.random.default_rng(seed)
    best = np.array([rows[np.argmin(log_loss[rows])] for rows, *_ in bottoms])
    low = np.array([_too_low(fitted, noise, rng) for _, fitted, *_ in bottoms])
    counts = np.bincount(cells)
    table = runs.table.iloc[best].assign(
        loss=runs.loss[best] * np.exp(low), loss_observed=runs.loss[best], best_of=counts
    )
    note = (
        f"The best of {counts.min()} to {counts.max()} runs over {', '.join(over)} for each of "
        f"{len(best)} sizes; what the least of so many owes to noise of {noise:.2%} was taken off, "
        f"{low.max():.2%} at most."
    )
    return Runs(pd.DataFrame(table).reset_index(drop=True), runs.name, (*runs.notes, note))


def _bottom(
    log_loss: np.ndarray, logs: np.ndarray, rows: np.ndarray, within: float
) -> tuple[np.ndarray, Float[np.ndarray, " run"], float, int]:
    """Runs near the best of a cell, their surface, the squares it leaves, and its spare runs."""
    rows = rows[np.argsort(log_loss[rows], kind="stable")]
    terms = _quadratic(logs[rows])
    near = int(np.sum(log_loss[rows] <= log_loss[rows[0]] + within))
    count = min(max(near, terms.shape[1] + SPARE), len(rows))
    rows, terms = rows[:count], _quadratic(logs[rows[:count]])
    rank = int(np.linalg.matrix_rank(terms))
    if count <= rank:  # nothing left to tell noise from shape: all is shape
        return rows, log_loss[rows], 0.0, 0
    fitted = terms @ np.linalg.lstsq(terms, log_loss[rows], rcond=None)[0]
    return rows, fitted, float(np.sum((log_loss[rows] - fitted) ** 2)), count - rank


def _quadratic(logs: np.ndarray) -> np.ndarray:
    """1, x, x^2 and products of the centred columns of a cell."""
    centred = logs - logs.mean(axis=0)
    spread = np.where(np.ptp(centred, axis=0) > 0, np.ptp(centred, axis=0), 1.0)
    x = centred / spread
    pairs = [x[:, i] * x[:, j] for i in range(x.shape[1]) for j in range(i, x.shape[1])]
    return np.stack([np.ones(len(x)), *x.T, *pairs], axis=1)


def _pooled(bottoms: Sequence[tuple[np.ndarray, np.ndarray, float, int]]) -> float:
    """Noise of log loss over all cells; 0 where none has a run to spare."""
    spare = sum(count for *_, count in bottoms)
    return float(np.sqrt(sum(squares for *_, squares, _ in bottoms) / spare)) if spare else 0.0


def _too_low(fitted: np.ndarray, noise: float, rng: np.random.Generator) -> float:
    """By how much the least of the runs lies below the least of their surface."""
    least = np.min(fitted + noise * rng.standard_normal((DRAWS, len(fitted))), axis=1)
    return float(fitted.min() - least.mean())
