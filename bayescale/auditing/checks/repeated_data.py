"""Tokens that were seen more than once, under a law that takes every token for a new one."""

from collections.abc import Iterator
from shlex import quote

import numpy as np

from bayescale.auditing.check import AbstractCheck, Audited
from bayescale.auditing.finding import Finding, Severity
from bayescale.auditing.names import UNIQUE
from bayescale.runs.table import some_rows

REPEATED = 4.0
"""Up to so many epochs repeated tokens are nearly as good as new ones (Muennighoff et al. 2023)."""


class Check(AbstractCheck):
    """D beyond a column of unique tokens."""

    def look(self, table: Audited) -> Iterator[Finding]:
        """Rows that repeat their data."""
        name = next((n for n in UNIQUE if n in table.free and table.is_number(n)), None)
        if name is None or "D" not in table.logs:
            return
        epochs = table.runs.column("D").astype(float) / table.numbers(name)
        rows = np.flatnonzero(epochs > REPEATED)
        if not rows.size:
            return
        yield Finding(
            "repeated_data",
            Severity.WARN,
            f"{some_rows(rows + 1)} saw their data up to {np.nanmax(epochs):.3g} times (column "
            f"'{name}'), and repeated tokens teach less than new ones",
            'fit a law that knows it, law="muennighoff" with the column named U, or leave the rows '
            "out",
            f"--law muennighoff --column {quote(f'U={name}')}"
            if name != "U"
            else "--law muennighoff",
            {"column": name, "epochs": float(np.nanmax(epochs)), "rows": int(rows.size)},
            tuple(int(row) for row in rows),
        )
