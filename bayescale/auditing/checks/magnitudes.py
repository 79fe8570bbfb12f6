"""Sizes in two units in one column, and sizes that no run has.

A few rows in millions among others in single parameters lie a factor 10^3, 10^6 or 10^9 away. That
the losses tell: with the rows moved by the factor, all rows lie on one surface.
"""

from collections.abc import Iterator

import numpy as np

from bayescale.auditing.check import AbstractCheck, Audited
from bayescale.auditing.finding import Finding, Severity
from bayescale.auditing.surface import Surface, polynomial
from bayescale.runs.table import some_rows

FACTORS = {1e3: "thousands", 1e6: "millions", 1e9: "billions"}
GAP = np.log(100.0)
"""Between two units lies a gap of at least this much in the logarithm of a size."""

BETTER = 0.5
"""The other unit must leave less than this part of the noise."""

NEAR = 4.0
"""Noise scales within which rows that were moved lie on the surface of the others."""

STEP = 0.9
"""Each row that is moved must leave less than this part of the noise."""

SUSPECTS = 12
MOST_PART = 0.3
MOST_RATIO = 1e5
"""Tokens a parameter, or their inverse, above which a unit is doubted."""


class Check(AbstractCheck):
    """Clusters of sizes far apart, and ratios of D to N out of this world."""

    def look(self, table: Audited) -> Iterator[Finding]:
        """Rows in another unit, or whole columns."""
        for name in table.sizes:
            if (finding := _mixed(table, name)) is not None:
                yield finding
                return
        if {"N", "D"} <= set(table.logs):
            yield from _ratio(table)


def _mixed(table: Audited, name: str) -> Finding | None:
    log = table.logs[name]
    if not table.surface.known:
        return None
    as_it_is = _noise(table, name, log)
    found = []
    for factor in (*FACTORS, *(1 / factor for factor in FACTORS)):
        rows, noise = _moved(table, name, np.log(factor))
        if 0 < rows.size <= MOST_PART * len(log) and noise < BETTER * as_it_is:
            found.append((noise, factor, rows))
        apart = _beyond_a_gap(log)
        if 0 < apart.size <= MOST_PART * len(log) and _fits(table, name, apart, np.log(factor)):
            found.append((0.0, factor, apart))
    if not found:
        return None
    _, factor, rows = min(found, key=lambda one: one[0])
    unit = FACTORS.get(factor) or f"units {1 / factor:g} times smaller"
    shown = ", ".join(f"{v:.4g}" for v in np.exp(log[rows[:3]]))
    return Finding(
        "magnitudes",
        Severity.REFUSE,
        f"{name} is {shown} in {some_rows(rows + 1)} and {np.exp(np.median(log)):.3g} at the "
        f"median of all; read in {unit} these rows lie where the others do, by size and by loss",
        f"write {name} of all rows in one unit",
        "",
        {"column": name, "factor": factor, "rows": int(rows.size)},
        tuple(int(row) for row in rows),
    )


def _fits(table: Audited, name: str, rows: np.ndarray, by: float) -> bool:
    """Whether rows that lie apart, once moved, are among the others and on their surface."""
    rest = np.delete(np.arange(len(table.runs)), rows)
    log = table.logs[name].copy()
    log[rows] += by
    if not _among(log[rows], log[rest], GAP / 2):
        return False
    moved = [log if other == name else x for other, x in table.logs.items()]
    log_loss = np.log(table.runs.loss)
    others = Surface.through(log_loss[rest], [x[rest] for x in moved])
    basis = polynomial(moved)
    found = np.linalg.lstsq(basis[rest], log_loss[rest] - others.residual, rcond=None)[0]
    off = log_loss[rows] - basis[rows] @ found
    return bool(others.known and np.median(np.abs(off)) < NEAR * max(others.scale, 1e-3))


def _moved(table: Audited, name: str, by: float) -> tuple[np.ndarray, float]:
    """Rows that, moved, lower the noise most, one after the other; and the noise that is left."""
    log = table.logs[name].copy()
    rows: list[int] = []
    noise = _noise(table, name, log)
    suspects = _suspects(table, name)
    while len(rows) < MOST_PART * len(log):
        tried = []
        for row in suspects:
            other = log.copy()
            other[row] += by
            if row not in rows and _among(other[[row]], np.delete(log, row)):
                tried.append((_noise(table, name, other), int(row)))
        if not tried or min(tried)[0] > STEP * noise:
            break
        noise, row = min(tried)
        log[row] += by
        rows.append(row)
    return np.sort(np.array(rows, dtype=int)), noise


def _suspects(table: Audited, name: str) -> np.ndarray:
    """Rows that are farthest off the surface, and those at the two ends of a size."""
    off = np.argsort(-np.abs(table.surface.residual), kind="stable")[:SUSPECTS]
    order = np.argsort(table.logs[name], kind="stable")
    return np.unique(np.concatenate([off, order[:SUSPECTS], order[-SUSPECTS:]]))


def _beyond_a_gap(log: np.ndarray) -> np.ndarray:
    """The fewer of the rows on the two sides of the widest gap, where it is wide."""
    order = np.argsort(log, kind="stable")
    steps = np.diff(log[order])
    if not steps.size or steps.max() < GAP:
        return np.empty(0, dtype=int)
    low, high = np.split(order, [int(np.argmax(steps)) + 1])
    return np.sort(low if low.size <= high.size else high)


def _among(some: np.ndarray, others: np.ndarray, margin: float = 0.0) -> bool:
    """Whether moved rows come to lie among the others.

    A row outside them has leverage: a surface goes through it whatever its loss.
    """
    return bool(some.min() > others.min() - margin and some.max() < others.max() + margin)


def _noise(table: Audited, name: str, log: np.ndarray) -> float:
    """Root mean square of what a surface by least squares leaves, with one size replaced."""
    basis = polynomial([log if other == name else x for other, x in table.logs.items()])
    log_loss = np.log(table.runs.loss)
    residual = log_loss - basis @ (basis.T @ log_loss)
    return float(np.sqrt(np.mean(residual**2)))


def _ratio(table: Audited) -> Iterator[Finding]:
    middle = float(np.exp(np.median(table.logs["D"] - table.logs["N"])))
    if 1 / MOST_RATIO < middle < MOST_RATIO:
        return
    n, d = (float(np.exp(np.median(table.logs[name]))) for name in ("N", "D"))
    small = "N" if middle > 1 else "D"
    yield Finding(
        "magnitudes",
        Severity.REFUSE,
        f"D/N is {middle:.3g} at the median (N = {n:.3g}, D = {d:.3g}), which no run has, so "
        f"{small} is probably in thousands, millions or billions",
        f"give its unit by read_runs(..., units={{{small!r}: 1e6}}), if it is in millions",
        f"--unit {small}=1e6",
        {"ratio": middle},
    )
