"""One run under two names: sizes and loss that agree to more digits than chance allows."""

from collections.abc import Iterator

import numpy as np
from scipy.stats import poisson

from bayescale.auditing.check import AbstractCheck, Audited
from bayescale.auditing.finding import Finding, Severity
from bayescale.runs.table import some_rows

CLOSE = 1e-6
"""Relative difference of each number, below which two rows are one run."""

WIDE = 1e-3
"""Gaps up to this say how many below `CLOSE` are chance."""

MOST_CHANCE = 0.001
COARSE = 1e-5
"""Relative step at which losses are rounded, above which equal losses mean nothing."""


class Check(AbstractCheck):
    """Rows that repeat an earlier one within rounding, under another name or with other columns."""

    def look(self, table: Audited) -> Iterator[Finding]:
        """Rows that repeat another."""
        loss = table.runs.loss
        if len(loss) < 2 or _rounded(loss):
            return
        order = np.lexsort((loss, table.cells))
        near = (np.diff(table.cells[order]) == 0) & (np.diff(np.log(loss[order])) < CLOSE)
        rows = np.sort(order[1:][near])
        # Of many runs of equal sizes some come as close by chance: as many as gaps scale down.
        wide = (np.diff(table.cells[order]) == 0) & (np.diff(np.log(loss[order])) < WIDE)
        chance = (wide & ~near).sum() * CLOSE / WIDE
        if not rows.size or poisson.sf(rows.size - 1, chance) > MOST_CHANCE:
            return
        yield Finding(
            "near_duplicates",
            Severity.WARN,
            f"{some_rows(rows + 1)} {'have' if rows.size > 1 else 'has'} the sizes and, to six "
            "digits, the loss of another row, so one run seems to be listed twice",
            "remove what is listed twice; if they are runs of their own, nothing is wrong",
            "",
            {"rows": int(rows.size)},
            tuple(int(row) for row in rows),
        )


def _rounded(loss: np.ndarray) -> bool:
    """Whether most losses are printed so coarsely that two runs may have the same by chance."""
    step = 10.0 ** np.floor(np.log10(loss) + np.log10(COARSE) + 1)
    away = np.abs(loss / step - np.round(loss / step))
    return bool(np.mean(away < 1e-6) > 0.5)
