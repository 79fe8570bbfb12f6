"""Which columns of a table were swept: chosen anew in several runs of equal sizes."""

import numpy as np
import pandas as pd

from bayescale.auditing.check import Audited
from bayescale.auditing.names import SEEDS, UNIQUE
from bayescale.runs.vocabulary import CANONICAL

LEAST_RUNS = 4
"""Runs of equal sizes that make a cell."""

LEAST_VALUES = 3
"""Values that a swept column takes within a cell, at least."""

LEAST_PART = 0.5
"""Part of the table that lies in such cells, at least."""


def in_cells(table: Audited) -> np.ndarray:
    """Whether each row has several others of equal sizes, shape (run,)."""
    return np.bincount(table.cells)[table.cells] >= LEAST_RUNS


def swept(table: Audited) -> list[str]:
    """Columns that were swept; none where most rows have sizes of their own."""
    within = in_cells(table)
    if table.curves or within.mean() < LEAST_PART:
        return []
    rows, cells = table.runs.table.loc[within], table.cells[within]
    found = [name for name in table.others if _is_swept(table, name, rows, cells)]
    given = [name for name in table.known if name in rows and name not in CANONICAL]
    return [
        name
        for i, name in enumerate(found)
        if not _follows(name, [*given, *found[:i]], rows, cells)
    ]


def _follows(name: str, before: list[str], rows: pd.DataFrame, cells: np.ndarray) -> bool:
    """Whether a column follows from others and the sizes, as steps do from the batch."""
    if not before:
        return False
    at = [cells, *(pd.factorize(rows[n])[0] for n in before)]
    units = {*zip(*at, strict=True)}
    return len({*zip(*at, rows[name], strict=True)}) == len(units)


def _is_swept(table: Audited, name: str, rows: pd.DataFrame, cells: np.ndarray) -> bool:
    """Whether a column of positive numbers takes several values in most cells, and each often.

    A column that is another in every row, such as seconds or a norm of gradients, was measured and
    not chosen.
    """
    if not table.is_number(name) or name in UNIQUE or name.lower() in SEEDS:
        return False
    values = table.numbers(name)
    if not np.all(np.isfinite(values)) or np.any(values <= 0):
        return False
    if len(np.unique(values)) > len(values) / LEAST_RUNS:
        return False
    taken = [len(np.unique(rows[name].to_numpy()[cells == cell])) for cell in np.unique(cells)]
    return bool(np.median(taken) >= LEAST_VALUES)
