"""Rows that are one run seen several times, or share something else."""

from dataclasses import dataclass
from typing import final

import numpy as np

from bayescale.models.shared_effect import SharedEffect, _labels, grouped
from bayescale.runs.table import Runs


@final
@dataclass(frozen=True)
class Shared(SharedEffect):
    """Runs that share something named in a column, such as the order of their data.

    They follow each other by name, whatever the order of the table.

    Parameters
    ----------
    column
        Rows with the same entry share an effect.
    """

    name = "shared"

    column: str = "data_order"

    def columns(self, runs: Runs) -> dict[str, np.ndarray]:
        """Groups of rows with the same entry, in order of name, sizes and loss."""
        names = (*runs.resources, "loss")
        ranks = [_labels(runs, "run"), *(runs.column(name) for name in names)]
        return grouped(_labels(runs, self.column), *ranks)
