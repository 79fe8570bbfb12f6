"""Runs that did not end as the others did: crashed, stopped early, diverged."""

from collections.abc import Iterator
from shlex import quote

import numpy as np

from bayescale.auditing.check import AbstractCheck, Audited
from bayescale.auditing.finding import Finding, Severity
from bayescale.runs.table import some_rows

ENDED = frozenset({"finished", "complete", "completed", "done", "success", "succeeded"})
OTHERWISE = frozenset({"crashed", "failed", "killed", "running", "aborted", "stopped", "preempted"})
SURE = 12.0
"""Noise scales above the surface, beyond which a run has diverged."""

LEAST_ABOVE = 0.05
"""And so much of its loss."""

MOST_PART = 0.1
"""Of diverged runs; of more it is the surface that is wrong, or a sweep."""


class Check(AbstractCheck):
    """A column of states, a column of progress, and losses far above all others."""

    def look(self, table: Audited) -> Iterator[Finding]:
        """Runs that did not end well."""
        yield from _by_state(table)
        yield from _by_progress(table)
        yield from _diverged(table)


def _by_state(table: Audited) -> Iterator[Finding]:
    for name in table.runs.table.columns:
        if table.is_number(name):
            continue
        words = table.runs.table[name].astype("string").str.strip().str.lower()
        known = words.isin(ENDED | OTHERWISE)
        bad = words.isin(OTHERWISE).fillna(False).to_numpy(dtype=bool)
        if known.mean() < 0.9 or not bad.any():
            continue
        rows = np.flatnonzero(bad)
        ended = next(iter(table.runs.table[name][~bad]), "finished")
        states = ", ".join(repr(state) for state in words[bad].unique()[:3])
        yield Finding(
            "unfinished",
            Severity.WARN,
            f"column '{name}' says {states} of {some_rows(rows + 1)}, whose losses are not final",
            f"leave them out by runs.select(lambda t: t[{name!r}].str.lower().isin("
            f"{sorted(set(words[~bad & known]))!r}))",
            f"--only {quote(f'{name}={ended}')}",
            {"column": name, "rows": int(rows.size)},
            tuple(int(row) for row in rows),
        )


def _by_progress(table: Audited) -> Iterator[Finding]:
    for name in table.others:
        if not table.is_number(name) or not any(
            word in name.lower() for word in ("progress", "elapsed_portion", "portion", "fraction")
        ):
            continue
        values = table.numbers(name)
        early = values < 0.99 * np.nanmax(values)
        if not (
            0 < early.sum() < len(values) and np.nanmax(values) <= 1.01 and np.nanmin(values) >= 0
        ):
            continue
        rows = np.flatnonzero(early)
        yield Finding(
            "unfinished",
            Severity.WARN,
            f"column '{name}' is below its end in {some_rows(rows + 1)}: losses before the end of "
            "a schedule are higher than those of runs that ended there",
            f"leave them out by runs.select(lambda t: t[{name!r}] >= {np.nanmax(values):g})",
            f"--only {quote(f'{name}={np.nanmax(values):g}')}",
            {"column": name, "rows": int(rows.size)},
            tuple(int(row) for row in rows),
        )


def _diverged(table: Audited) -> Iterator[Finding]:
    surface = table.surface
    if not surface.known or surface.scale == 0:
        return
    bad = surface.residual > max(SURE * surface.scale, LEAST_ABOVE)
    if not bad.any() or bad.mean() > MOST_PART:
        return
    rows = np.flatnonzero(bad)
    yield Finding(
        "unfinished",
        Severity.NOTE,
        f"{some_rows(rows + 1)} {'lie' if rows.size > 1 else 'lies'} up to "
        f"{np.expm1(surface.residual[rows].max()):.0%} above all runs of like sizes, as runs that "
        "diverged or were stopped do",
        "look at these runs and leave out those that did not end well; the default noise gives "
        "them little weight",
        "",
        {"rows": int(rows.size), "above": float(surface.residual[rows].max())},
        tuple(int(row) for row in rows),
    )
