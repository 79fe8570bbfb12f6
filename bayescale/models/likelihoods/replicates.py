"""Runs of the same sizes that differ by seed only."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import pandas as pd

from bayescale.models.likelihood import AbstractLikelihood
from bayescale.models.shared_effect import SharedEffect, _labels, grouped
from bayescale.runs.table import Runs


@final
@dataclass(frozen=True)
class Replicates(SharedEffect):
    """Runs of the same sizes that differ by seed only: their scatter is the noise of the seed.

    ``sigma`` is the scale between seeds of one configuration, ``effect`` what a configuration
    misses of the law, so that more seeds of it do not count as more evidence for the law. Runs
    nearest to the median loss of their configuration come first, so that a diverged seed is judged
    by the others and not they by it.

    Parameters
    ----------
    by
        Columns that must agree; the resources of the law by default.
    """

    name = "replicates"

    by: tuple[str, ...] = ()

    def scaled_to(self, pivot: Mapping[str, float]) -> AbstractLikelihood:
        """Take the resources of the law where no columns were given."""
        return self if self.by else replace(self, by=tuple(pivot))

    def columns(self, runs: Runs) -> dict[str, np.ndarray]:
        """Groups of rows that agree, in order of their distance from its median."""
        names = list(self.by or runs.resources)
        for name in names:
            runs.column(name)  # refuses what is absent
        groups = runs.table.groupby(names, sort=False, dropna=False).ngroup().to_numpy()
        log_loss = pd.Series(np.log(runs.loss))
        distance = (log_loss - log_loss.groupby(groups).transform("median")).abs().to_numpy()
        return grouped(groups, np.round(distance, 9), _labels(runs, "run"))
