"""A column that explains what the sizes leave: several corpora, tokenizers, protocols in one table.

Of the residuals of a smooth surface, the levels of a column, each with a line in the log sizes of
its own, explain the share R^2 (adjusted) beyond what the surface could. Under permutations of its
labels among exchangeable units (rows; values of N, of D, or runs, where the column is constant
within them) a sum of squares much like it has its distribution for a column that means nothing
(Freedman and Lane 1983), whatever the noise. A column must also explain a good part to be told.
"""

from collections.abc import Iterator
from shlex import quote

import numpy as np
import pandas as pd

from bayescale.auditing.check import AbstractCheck, Audited
from bayescale.auditing.finding import Finding, Severity
from bayescale.auditing.swept import swept

PERMUTATIONS = 4999
CHANCE = 0.02
"""Chance of a false alarm over all columns of a table."""

ENOUGH = 20
"""Permutations that explain as much, after which no more are drawn."""

LEAST_SHARE = 0.3
"""A column is told where its levels explain at least this share of the residual variance."""

MUCH = 0.4
"""And from this share on it is warned of: the noise would be taken for 1.3 times what it is."""

LEAST_ROWS = 3
"""Rows that a level has at least, for the column to have levels at all."""

MOST_LEVELS = 20
RIDGE = 3.0
"""Weight, in rows, with which slopes of a level are drawn to zero: few rows tell no slope."""

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
            f"{noise:.2%} of the loss where it is {noise * max(1 - share, 0) ** 0.5:.2%}",
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
        ``share`` is adjusted for the number of coefficients and may be negative. ``p`` is 1 where
        the labels have no units among which they could be exchanged.
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
    logs = [*table.logs.values()]
    lines = np.stack([np.ones(len(codes)), *((x - x.mean()) / x.std() for x in logs if x.std())])
    found, share = _between(residual, codes, lines), _share(residual, codes, lines, surface.basis)
    rng = np.random.default_rng(table.seed)
    as_large = 0
    for made in range(1, PERMUTATIONS + 1):
        as_large += _between(residual, rng.permutation(of_unit)[units], lines) >= found
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


def _between(residual: np.ndarray, codes: np.ndarray, lines: np.ndarray) -> float:
    """Sum of squares that a line in the log sizes explains in each level, slopes drawn to zero."""
    count = codes.max() + 1
    right = np.stack([np.bincount(codes, residual * x, count) for x in lines], axis=-1)
    gram = np.empty((count, len(lines), len(lines)))
    for i, x in enumerate(lines):
        for j, y in enumerate(lines[: i + 1]):
            gram[:, i, j] = gram[:, j, i] = np.bincount(codes, x * y, count)
    gram += np.diag([1e-9] + [RIDGE] * (len(lines) - 1))
    return float(np.sum(right * np.linalg.solve(gram, right[..., None])[..., 0]))


def _share(residual: np.ndarray, codes: np.ndarray, lines: np.ndarray, basis: np.ndarray) -> float:
    """Adjusted R^2 of the levels' lines, of what the surface cannot absorb of them."""
    levels = np.eye(codes.max() + 1)[codes]
    marks = np.concatenate([levels * x[:, None] for x in lines], axis=1)
    marks = marks - basis @ (basis.T @ marks)
    own, singular, _ = np.linalg.svd(marks, full_matrices=False)
    own = own[:, singular > 1e-6 * singular[0]] if singular[0] > 1e-9 else own[:, :0]
    total = float(residual @ residual)
    spare = len(codes) - basis.shape[1]
    left = spare - own.shape[1]
    if total == 0 or left < 1:
        return 0.0
    return 1.0 - (1.0 - float(np.sum((own.T @ residual) ** 2)) / total) * spare / left
