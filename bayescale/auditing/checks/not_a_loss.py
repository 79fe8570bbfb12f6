"""A column taken for the loss that is an accuracy, a score or a reward: it rises with the sizes."""

from collections.abc import Iterator

import numpy as np
from scipy.stats import rankdata

from bayescale.auditing.check import AbstractCheck, Audited
from bayescale.auditing.finding import Finding, Severity

RISES = 0.5
"""Rank correlation with the product of the sizes, above which it is no loss."""

LEAST_ROWS = 8


class Check(AbstractCheck):
    """Whether the loss falls as the sizes grow."""

    def look(self, table: Audited) -> Iterator[Finding]:
        """A loss that rises."""
        product = np.sum([*table.logs.values()], axis=0)
        loss = table.runs.loss
        if len(loss) < LEAST_ROWS or np.ptp(product) == 0 or np.ptp(loss) == 0:
            return
        found = float(np.corrcoef(rankdata(product), rankdata(loss))[0, 1])
        if found < RISES:
            return
        what = "an accuracy" if loss.max() <= 1 else "an accuracy, a score or a reward"
        yield Finding(
            "not_a_loss",
            Severity.REFUSE,
            f"the loss rises with the sizes (rank correlation {found:.2f}), so the column is "
            f"probably {what}",
            'map another column by read_runs(..., columns={"loss": "..."}); of an accuracy in '
            "[0, 1] the error 1 - accuracy falls as a loss does",
            '--column loss="..."',
            {"correlation": found},
        )
