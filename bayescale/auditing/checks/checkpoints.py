"""Rows that are checkpoints of few runs, whatever the column is called or without one.

Checkpoints of one run err together, so that a fit which takes them for runs of their own is many
times too sure. They are known by a column that names few runs in many rows; or, without one, by
sizes at which D advances in equal steps, as a log does and a design does not.
"""

from collections.abc import Iterator
from shlex import quote

import numpy as np
import pandas as pd

from bayescale.auditing.check import AbstractCheck, Audited
from bayescale.auditing.finding import Finding, Severity

LEAST_ROWS = 6
"""Checkpoints that a run has at least."""

EVEN = 0.1
"""Steps are equal where their mean deviation is below this part of their mean."""

LEAST_PART = 0.5
"""Part of the rows that lie in such runs, at least."""

RUN_WORDS = ("run", "exp", "trial", "job", "id")
"""Parts of what a column is called that names runs."""

FINALS = "keep the last row of each by runs.finals({!r})"
CURVES = 'fit with likelihood="curves"'


class Check(AbstractCheck):
    """Names of runs that repeat, and sizes that advance in equal steps."""

    def look(self, table: Audited) -> Iterator[Finding]:
        """Checkpoints, unless the fit knows of them."""
        if table.curves or "D" not in table.runs.table:
            return
        run = table.runs.table["run"]
        names = len(run.unique())
        if names < len(run):
            yield _finding(
                f"{len(run)} rows are of {names} runs only (column 'run')",
                f"{FINALS.format('run')}, or {CURVES}",
                "--finals run",
                {"column": "run", "runs": names},
            )
            return
        if table.names_given:
            return  # each row is a run, says the table
        named = [name for name in table.others if _names_runs(table, name)]
        if named:
            name = named[0]
            count = len(table.runs.table[name].unique())
            yield _finding(
                f"column '{name}' names {count} runs in {len(run)} rows, each of one N with D that "
                "grows",
                f'say so by read_runs(..., columns={{"run": {name!r}}}), then '
                f"{FINALS.format('run')} or {CURVES}",
                f"--column {quote(f'run={name}')} --finals run",
                {"column": name, "runs": count},
            )
            return
        series = _even_series(table)
        rows = sum(map(len, series))
        if series and rows >= LEAST_PART * len(run):
            yield _finding(
                f"{rows} of {len(run)} rows lie in {len(series)} series of one N whose D advances "
                "in equal steps, as checkpoints of a run do and finished runs seldom",
                f"{FINALS.format('N')}, or name the run of each row in a column 'run' and "
                f"{CURVES}; if they are runs of their own, nothing is wrong",
                "--finals N",
                {"column": None, "runs": len(series)},
            )


def _finding(sentence: str, handle: str, command: str, evidence: dict) -> Finding:
    told = f"{sentence}: checkpoints of one run err together, so intervals will be too narrow"
    return Finding("checkpoints", Severity.WARN, told, handle, command, evidence)


def _names_runs(table: Audited, name: str) -> bool:
    """Whether the levels of a column are runs: many rows each, one N, no D twice."""
    frame = table.runs.table
    if table.is_number(name) or bool(frame[name].isna().any()):
        return False
    codes = pd.factorize(frame[name])[0]
    if np.median(np.bincount(codes)) < LEAST_ROWS:
        return False
    one_size = "N" not in frame or len({*zip(codes, frame["N"], strict=True)}) == codes.max() + 1
    each_once = len({*zip(codes, frame["D"], strict=True)}) == len(codes)
    known = _called_a_run(name) or bool(_even_series(table))
    return bool(one_size and each_once and known)


def _called_a_run(name: str) -> bool:
    """Whether a column is called as one that names runs, and not as one that names models."""
    return any(word in name.lower() for word in RUN_WORDS)


def _even_series(table: Audited) -> list[np.ndarray]:
    """Rows of equal other sizes whose D advances in equal steps."""
    frame = table.runs.table
    keys = frame["N"].to_numpy() if "N" in frame else np.zeros(len(frame))
    found = []
    for value in np.unique(keys):
        rows = np.flatnonzero(keys == value)
        # Checkpoints stand in the order of a log. Several runs of one N follow one another.
        tokens = frame["D"].to_numpy()[rows]
        breaks = np.flatnonzero(np.diff(tokens) <= 0) + 1
        for part in np.split(rows, breaks):
            steps = np.diff(frame["D"].to_numpy()[part])
            if (
                len(part) >= LEAST_ROWS
                and np.mean(np.abs(steps - steps.mean())) < EVEN * steps.mean()
            ):
                found.append(part)
    return found
