"""A sweep: many runs of equal sizes that differ in how they were trained, most of them badly.

A law of the sizes is meant for runs that were trained as well as one could. In a grid of learning
rates and batches the rest is no noise, and it lies on one side.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from bayescale.auditing.check import AbstractCheck, Audited
from bayescale.auditing.finding import Finding, Severity
from bayescale.auditing.names import SEEDS, UNIQUE
from bayescale.runs.columns import CANONICAL

LEAST_RUNS = 4
"""Runs of equal sizes that make a cell."""

LEAST_VALUES = 3
"""Values that a swept column takes within a cell, at least."""

LEAST_PART = 0.5
"""Part of the table that lies in such cells, at least."""


class Check(AbstractCheck):
    """Numeric columns that vary within cells of equal sizes."""

    def look(self, table: Audited) -> Iterator[Finding]:
        """The columns that are swept, if any are."""
        if table.curves:
            return
        counts = np.bincount(table.cells)
        within = counts[table.cells] >= LEAST_RUNS
        if within.mean() < LEAST_PART:
            return
        rows = table.runs.table.loc[within]
        cells = table.cells[within]
        swept = [name for name in table.others if _is_swept(table, name, rows, cells)]
        given = [name for name in table.known if name in rows and name not in CANONICAL]
        swept = [
            name
            for i, name in enumerate(swept)
            if not _follows(name, [*given, *swept[:i]], rows, cells)
        ]
        if not swept:
            return
        log_loss = np.log(rows["loss"])
        spread = float(log_loss.groupby(cells).std().median())
        several = np.unique(cells)
        listed = ", ".join(f"'{name}'" for name in swept)
        named = ", ".join(repr(name) for name in swept)
        yield Finding(
            "sweep",
            Severity.WARN,
            f"{int(within.sum())} rows are a sweep of {listed}: {len(several)} pairs of sizes with "
            f"{int(np.median(counts[several]))} runs each at the median, whose losses spread by "
            f"{spread:.1%}, so that most rows are not as well trained as their size allows",
            f"keep the best of each by bs.envelope(runs, over=[{named}]), which takes the chance "
            "of a best of many off, or fit a law with these columns as resources",
            " ".join(f"--best-of {name}" for name in swept),
            {"columns": swept, "cells": len(several), "spread": spread},
        )


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
