"""Runs of equal sizes that differ by a seed alone: what they say of the noise."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from bayescale.auditing.check import AbstractCheck, Audited
from bayescale.auditing.finding import Finding, Severity
from bayescale.auditing.names import SEEDS


class Check(AbstractCheck):
    """A column of seeds within cells of equal sizes."""

    def look(self, table: Audited) -> Iterator[Finding]:
        """How many replicates there are, and how they spread."""
        name = next((n for n in table.others if str(n).lower() in SEEDS), None)
        counts = np.bincount(table.cells)
        several = counts[table.cells] > 1
        if name is None or not several.any():
            return
        log_loss = pd.Series(np.log(table.runs.loss[several]))
        by = log_loss.groupby(table.cells[several])
        spread = float(np.sqrt((by.var() * (by.size() - 1)).sum() / (by.size() - 1).sum()))
        yield Finding(
            "replicates",
            Severity.NOTE,
            f"{int(several.sum())} rows are replicates by '{name}' of {by.ngroups} pairs of sizes, "
            f"which spread by {spread:.2%}",
            "keep them: they say what the noise is",
            "",
            {"spread": spread, "cells": int(by.ngroups)},
        )
