"""Compute against what the sizes would cost: another cost model, or rows with a slip.

C is what a run cost. ``6 N D`` holds where N counts what each token passes through once forward and
twice back; with other counts of N, or with work done again, the ratio is another, and it may vary
with size.
"""

from collections.abc import Iterator

import numpy as np

from bayescale.auditing.check import AbstractCheck, Audited
from bayescale.auditing.finding import Finding, Severity
from bayescale.runs.table import some_rows

NEAR = 0.1
"""A ratio within this of 1 is what rounding and small terms leave."""

SLIP = 3.0
"""A row whose ratio is so many times off the median is a slip."""

MOST_SLIPS = 0.2
"""If more rows than this part are off, it is no slip."""

BANDS = 3


class Check(AbstractCheck):
    """Ratio of C to 6 N D: by size, and row by row."""

    def look(self, table: Audited) -> Iterator[Finding]:
        """A ratio that is not 1, and rows that are off the others."""
        if not {"N", "D", "C"} <= set(table.runs.table):
            return
        n, d, c = (table.runs.column(name).astype(float) for name in ("N", "D", "C"))
        log_ratio = np.log(c / 6) - np.log(n) - np.log(d)
        middle = float(np.median(log_ratio))
        off = np.abs(log_ratio - middle) > np.log(SLIP)
        if off.any() and off.mean() <= MOST_SLIPS:
            rows = np.flatnonzero(off)
            shown = ", ".join(f"{np.exp(v):.3g}" for v in log_ratio[rows[:5]])
            yield Finding(
                "cost_ratio",
                Severity.REFUSE
                if np.abs(log_ratio - middle).max() > np.log(100)
                else Severity.WARN,
                f"C / (6 N D) is {shown} in {some_rows(rows + 1)} and {np.exp(middle):.3g} at the "
                "median of all, so a number there is wrong",
                "correct N, D or C in these rows, or leave them out",
                "",
                {"ratio": float(np.exp(middle)), "rows": int(rows.size)},
                tuple(int(row) for row in rows),
            )
        kept = log_ratio[~off]
        if abs(middle) <= np.log1p(NEAR) and np.ptp(np.quantile(kept, [0.05, 0.95])) <= np.log1p(
            2 * NEAR
        ):
            return
        order = np.argsort(n[~off], kind="stable")
        bands = [part for part in np.array_split(order, BANDS) if part.size]
        told = ", ".join(
            f"{np.exp(np.median(kept[part])):.2f} about N = {np.median(n[~off][part]):.2g}"
            for part in bands
        )
        yield Finding(
            "cost_ratio",
            Severity.NOTE,
            f"C is not 6 N D: the ratio is {told}, so N counts other parameters than those that C "
            "was spent on, or work was done again",
            "plan with the cost that your C follows (cost=, one of bs.costs), not with 6ND",
            "--cost NAME, of `bayescale plan`",
            {"ratio": float(np.exp(middle))},
        )
