"""A finding of the audit: a sentence, its evidence, and the command that handles it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """What a finding means for a fit of the table as it is."""

    NOTE = "note"
    WARN = "warn"
    REFUSE = "refuse"


@dataclass(frozen=True)
class Finding:
    """Something that a table of runs shows and a fit of it would not.

    Parameters
    ----------
    check
        Name of the check that found it (`bayescale.auditing.checks`).
    severity
        ``note``: worth knowing; ``warn``: what is fitted may not be what was meant; ``refuse``: a
        fit of the table as it is would be wrong.
    sentence
        What was found, with its numbers.
    handle
        What to do about it, in Python.
    command
        The same as options of the command line; empty where the table itself must be mended.
    evidence
        The numbers behind the sentence, as plain data.
    rows
        Rows concerned, counted from 0; empty where all are, or none in particular.
    """

    check: str
    severity: Severity
    sentence: str
    handle: str
    command: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    rows: tuple[int, ...] = ()

    def __str__(self) -> str:
        command = f" (command line: {self.command})" if self.command else ""
        return f"{self.sentence}; {self.handle}{command}."

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {
            "check": self.check,
            "severity": str(self.severity),
            "sentence": self.sentence,
            "handle": self.handle,
            "command": self.command,
            "evidence": dict(self.evidence),
            "rows": [row + 1 for row in self.rows],
        }
