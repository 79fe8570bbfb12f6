"""A column that explains what the sizes leave: several corpora, tokenizers, protocols in one table.

Of the residuals of a smooth surface, the levels of a column explain the share R^2 beyond what the
surface could. Under permutations of its labels among exchangeable units (rows; values of N, of D,
or runs, where the column is constant within them) R^2 has its distribution for a column that means
nothing (Freedman and Lane 1983), whatever the noise. A column must also explain a good part to be
told.
"""

from collections.abc import Iterator
from shlex import quote

import numpy as np
import pandas as pd

from bayescale.auditing.check import AbstractCheck, Audited
from bayescale.auditing.finding import Finding, Severity
from bayescale.auditing.swept import swept

PERMUTATIONS = 9999
CHANCE = 0.02
"""Chance of a false alarm over all columns of a table."""

ENOUGH = 20
"""Permutations that explain as much, after which no more are drawn."""

LEAST_SHARE = 0.3
"""A column is told where its levels explain at least this share of the residual variance."""

MUCH = 0.5
"""And from this share on it is warned of: the noise would be taken for 1.4 times what it is."""

LEAST_ROWS = 3
"""Rows that a level has at least, for the column to have levels at all."""

MOST_LEVELS = 20
WINSOR = 4.0
"""Residuals are drawn in to so many noise scales: single wrong rows are another finding."""


class Check(AbstractCheck):
    """Levels of a column against the residuals of a smooth surface."""

    def look(self, table: Audited) -> Iterator[Finding]:
        """The column that explains most, if any does."""
        if not table.surface.known or table.surface.scale == 0:
            return
        names = [name for name in table.others if name not in swept(table)]
        candidates = {name: codes for name in names if (codes := _levels(table, name)).size}
        found = []
        for name, codes in candidates.items():
            share, p = explained(table, codes)
            if p * len(candidates) <= CHANCE and share >= LEAST_SHARE:
                found.append((share, p, name))
        if not found:
            return
        share, p, name = max(found)
        values = table.runs.table[name]
        told = ", ".join(repr(v) for v in values.value_counts().index[:4].astype(str))
        noise = table.surface.residual.std()
        also = [repr(other) for *_, other in sorted(found, reverse=True)[1:4]]
        more = f" (so do {', '.join(also)})" if also else ""
        yield Finding(
            "explains",
            Severity.WARN if share >= MUCH else Severity.NOTE,
            f"column '{name}' ({told}) explains {share:.0%} of what the sizes leave of the loss"
            f"{more}, so this is not one table: noise would be taken for "
            f"{noise:.2%} of the loss where it is {noise * (1 - share) ** 0.5:.2%}",
            f"fit its groups by bs.fit_groups(runs, groups={name!r}), or keep one of them by "
            f"runs.select(lambda t: t[{name!r}] == {values.value_counts().index.tolist()[0]!r})",
            f"--groups {quote(name)}",
            {"column": name, "share": share, "p": p, "levels": len(values.dropna().unique())},
        )


def _levels(table: Audited, name: str) -> np.ndarray:
    """Level of each row, empty where the column has no levels that repeat."""
    codes, levels = pd.factorize(table.runs.table[name], use_na_sentinel=False)
    counts = np.bincount(codes)
    several = 2 <= len(levels) <= min(MOST_LEVELS, len(codes) // LEAST_ROWS)
    if not several or np.sum(counts >= LEAST_ROWS) < 2:
        return np.empty(0, dtype=int)
    return codes


def explained(table: Audited, codes: np.ndarray) -> tuple[float, float]:
    """Share of the residual variance that levels explain, and its p-value by permutation.

    Parameters
    ----------
    table
        With its surface.
    codes
        Level of each row, from 0.

    Returns
    -------
    share, p
        ``p`` is 1 where the labels have no units among which they could be exchanged.
    """
    surface = table.surface
    residual = np.clip(surface.residual, -WINSOR * surface.scale, WINSOR * surface.scale)
    residual = residual - surface.basis @ (surface.basis.T @ residual)
    units = _units(table, codes)
    count = units.max() + 1
    of_unit = np.zeros(count, dtype=int)
    of_unit[units] = codes
    if count < 2 * len(np.unique(codes)) or min(np.bincount(of_unit)) == 0:
        return 0.0, 1.0
    found, share = _between(residual, codes), _share(residual, codes, surface.basis)
    rng = np.random.default_rng(table.seed)
    as_large = 0
    for made in range(1, PERMUTATIONS + 1):
        as_large += _between(residual, rng.permutation(of_unit)[units]) >= found
        if as_large >= ENOUGH:  # clearly chance (Besag and Clifford 1991)
            return share, as_large / made
    return share, (1 + as_large) / (1 + PERMUTATIONS)


def _units(table: Audited, codes: np.ndarray) -> np.ndarray:
    """Unit of each row among which labels may be exchanged: the coarsest within which they stay."""
    columns = [name for name in (*table.sizes, "run") if name in table.runs.table]
    coarsest = np.arange(len(codes))
    for name in columns:
        units = pd.factorize(table.runs.table[name])[0]
        within = len({*zip(units, codes, strict=True)}) == units.max() + 1
        if within and units.max() < coarsest.max():
            coarsest = units
    return coarsest


def _between(residual: np.ndarray, codes: np.ndarray) -> float:
    """Sum of squares between levels."""
    counts = np.bincount(codes)
    sums = np.bincount(codes, residual)
    return float(np.sum(sums[counts > 0] ** 2 / counts[counts > 0]))


def _share(residual: np.ndarray, codes: np.ndarray, basis: np.ndarray) -> float:
    """R^2 of the levels' means, of what the surface cannot absorb of them."""
    marks = np.eye(codes.max() + 1)[codes]
    marks = marks - basis @ (basis.T @ marks)
    found = np.linalg.lstsq(marks, residual, rcond=1e-9)[0]
    total = float(residual @ residual)
    return 0.0 if total == 0 else float(np.sum((marks @ found) ** 2)) / total
