"""Logs of one run, written to several files as it was resumed, as one run."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute

from bayescale.logs.run_log import STEP, RunLog
from bayescale.logs.step_file import StepRows

pc: Any = pyarrow.compute  # its functions are generated on import, unseen by type checkers


@dataclass(frozen=True, eq=False)
class MergedRun:
    """One run.

    Parameters
    ----------
    name
        What it is called; no other run of the same `Logs` is called so.
    format
        Format of its logs.
    parts
        Its logs, the last written last.
    """

    name: str
    format: str
    parts: tuple[RunLog, ...]

    @property
    def source(self) -> str:
        """The files it was read from."""
        return ", ".join(dict.fromkeys(part.source for part in self.parts))

    @property
    def state(self) -> str | None:
        """How it ended, as the last part says."""
        return self.parts[-1].state

    @property
    def config(self) -> dict[str, Any]:
        """How it was set up; the last part has the last word."""
        return {name: value for part in self.parts for name, value in part.config.items()}

    @property
    def summary(self) -> dict[str, Any]:
        """What the logger says of the end; the last part has the last word."""
        return {name: value for part in self.parts for name, value in part.summary.items()}

    @property
    def notes(self) -> tuple[str, ...]:
        """What was lost or read in place of something else."""
        return tuple(dict.fromkeys(note for part in self.parts for note in part.notes))

    @property
    def records(self) -> int:
        """Number of records in all parts."""
        return sum(part.history.num_rows for part in self.parts)

    @cached_property
    def metrics(self) -> dict[str, int]:
        """The metrics that hold numbers, with the number of records that have each."""
        found: dict[str, int] = {}
        for part in self.parts:
            for name, number in _counts(part).items():
                found[name] = found.get(name, 0) + number
        return found

    @cached_property
    def span(self) -> tuple[int | None, int | None]:
        """The least and the largest step; None where no record has one."""
        ends = [end for part in self.parts for end in _span(part) if end is not None]
        return (min(ends), max(ends)) if ends else (None, None)


def _counts(part: RunLog) -> Mapping[str, int]:
    table = part.history
    if isinstance(table, StepRows):
        return table.counts
    return {
        name: len(column) - column.null_count
        for name, column in zip(table.column_names, table.columns, strict=True)
        if name != STEP and pa.types.is_floating(column.type) and column.null_count < len(column)
    }


def _span(part: RunLog) -> tuple[int | None, int | None]:
    table = part.history
    if isinstance(table, StepRows):
        return table.first, table.last
    ends = pc.min_max(table[STEP])
    return ends["min"].as_py(), ends["max"].as_py()


def merge(logs: Iterable[tuple[str, RunLog]]) -> tuple[tuple[MergedRun, ...], tuple[str, ...]]:
    """Runs of logs, each run once and each under a name of its own.

    Logs of one identity are one run. Where a logger has no identity, logs of one format and name
    are one run if no setting differs and each begins after the one before began, as after a
    resume; otherwise they are runs of their own, told apart by their files.

    Parameters
    ----------
    logs
        Each with the name of its format.

    Returns
    -------
    tuple of MergedRun, tuple of str
        The runs in the order found, and sentences on what was joined or renamed.
    """
    groups: dict[tuple[str, str], list[list[RunLog]]] = {}
    for title, log in logs:
        key = (title, log.identity if log.identity is not None else f"name {log.name}")
        held = groups.setdefault(key, [])
        fits = [parts for parts in held if log.identity is not None or _continues(log, parts)]
        if fits:
            fits[0].append(log)
        else:
            held.append([log])
    runs = [
        MergedRun(parts[0].name, title, tuple(sorted(parts, key=_written)))
        for (title, _), held in groups.items()
        for parts in held
    ]
    notes = [
        f"run '{run.name}' was logged in {len(run.parts)} parts ({_some(run.parts)}), which were "
        "joined; the last write of a step wins."
        for run in runs
        if len(run.parts) > 1
    ]
    return _named(runs, notes), tuple(notes)


def _continues(log: RunLog, parts: Sequence[RunLog]) -> bool:
    config = MergedRun("", "", tuple(parts)).config
    if any(config.get(name, value) != value for name, value in log.config.items()):
        return False
    begins = _span(log)[0]
    others = [_span(part)[0] for part in parts]
    return begins is not None and None not in others and begins not in others


def _written(log: RunLog) -> tuple[Any, ...]:
    """In the order of the names of their files, numbers as numbers."""
    return tuple((not p.isdigit(), int(p) if p.isdigit() else p) for p in _pieces(log.source))


def _pieces(text: str) -> list[str]:
    return [piece for piece in re.split(r"(\d{1,18})", text) if piece]


def _some(parts: Sequence[RunLog]) -> str:
    sources = list(dict.fromkeys(part.source for part in parts))
    return ", ".join(sources[:3]) + (f", ... {len(sources)} files" if len(sources) > 3 else "")


def _named(runs: list[MergedRun], notes: list[str]) -> tuple[MergedRun, ...]:
    names = Counter(run.name for run in runs)
    twice = dict.fromkeys(name for name, number in names.items() if number > 1)
    if not twice:
        return tuple(runs)
    found: list[MergedRun] = []
    taken = {*names} - {*twice}
    for run in runs:
        name, number = run.name, 2
        if run.name in twice:
            name = f"{run.name} ({run.parts[0].source})"
            while name in taken:
                name, number = f"{run.name} ({run.parts[0].source}, {number})", number + 1
            taken.add(name)
        found.append(replace(run, name=name))
    shown = ", ".join(f"'{name}'" for name in [*twice][:3]) + (", ..." if len(twice) > 3 else "")
    notes.append(
        f"{len(twice)} name{'s are' if len(twice) > 1 else ' is'} that of several runs ({shown}), "
        "which are told apart by their files; a run that two loggers wrote is then there twice, so "
        "give the files of one logger only."
    )
    return tuple(found)
