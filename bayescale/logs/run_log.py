"""One run as its logger wrote it: what was logged at each step, how it was set up, how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from bayescale.logs.step_file import StepRows

STEP = "step"
"""Column of the history that counts steps, whatever the logger calls it."""


@dataclass(frozen=True, eq=False)
class RunLog:
    """What one training run logged.

    Parameters
    ----------
    name
        What the run is called; of several files of one run, the same name.
    source
        The file or folder it was read from, for messages.
    history
        One row a record, in the order written: ``step`` (int64, null where none was logged) and a
        column a metric, numbers as float64 and null where a record does not have it. Text is kept
        as text. Nothing is thinned, smoothed or sorted. Rows of a table of steps stay in their
        file, as `StepRows`.
    config
        How the run was set up: flat, nested keys joined by dots; numbers, text, True or False.
    summary
        What the logger itself says of the end, flat as `config`; empty where it says nothing.
    state
        ``finished``, ``crashed``, ``failed``, ``killed`` or ``running`` as the logger says; None
        where it does not say.
    notes
        Sentences: what was lost, damaged or read in place of something else.
    identity
        What tells the run from every other, such as its id: logs of one identity are one run,
        resumed or written to several files. None where the logger has none; then files of one
        name are one run only where nothing speaks against it.
    """

    name: str
    source: str
    history: pa.Table | StepRows
    config: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)
    state: str | None = None
    notes: tuple[str, ...] = ()
    identity: str | None = None
