"""A sweep: many runs of equal sizes that differ in how they were trained, most of them badly.

A law of the sizes is meant for runs that were trained as well as one could. In a grid of learning
rates and batches the rest is no noise, and it lies on one side.
"""

from collections.abc import Iterator
from shlex import quote

import numpy as np

from bayescale.auditing.check import AbstractCheck, Audited
from bayescale.auditing.finding import Finding, Severity
from bayescale.auditing.swept import in_cells, swept


class Check(AbstractCheck):
    """Numeric columns that vary within cells of equal sizes."""

    def look(self, table: Audited) -> Iterator[Finding]:
        """The columns that are swept, if any are."""
        names = swept(table)
        if not names:
            return
        within = in_cells(table)
        rows, cells = table.runs.table.loc[within], table.cells[within]
        counts = np.bincount(table.cells)
        log_loss = np.log(rows["loss"])
        spread = float(log_loss.groupby(cells).std().median())
        several = np.unique(cells)
        listed = ", ".join(f"'{name}'" for name in names)
        named = ", ".join(repr(name) for name in names)
        yield Finding(
            "sweep",
            Severity.WARN,
            f"{int(within.sum())} rows are a sweep of {listed}: {len(several)} pairs of sizes with "
            f"{int(np.median(counts[several]))} runs each at the median, whose losses spread by "
            f"{spread:.1%}, so that most rows are not as well trained as their size allows",
            f"keep the best of each by bs.envelope(runs, over=[{named}]), which takes the chance "
            "of a best of many off, or fit a law with these columns as resources",
            " ".join(f"--best-of {quote(name)}" for name in names),
            {"columns": names, "cells": len(several), "spread": spread},
        )
