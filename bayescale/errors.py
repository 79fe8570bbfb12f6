"""The errors bayescale raises: one sentence each, and the exit code the command line gives it.

Every message says what is wrong, what was given, what is allowed, and what to do. It may quote
names from a file, so what would steer a terminal is escaped in it.
"""

import re
from enum import IntEnum
from typing import ClassVar


class Exit(IntEnum):
    """What the command line exits with, and what that says; the one place where codes are given."""

    DONE = 0, "done"
    CRASH = 1, "internal error"
    USAGE = 2, "usage"
    DATA = 3, "data"
    LIMIT = 4, "limit"
    REFUSED = 5, "diagnostics refused"
    NOT_REACHED = 6, "no budget reaches a target"
    REFUTED = 7, "a claim is refuted"
    INTERRUPTED = 130, "interrupted"
    TERMINATED = 143, "terminated"

    meaning: str

    def __new__(cls, code: int, meaning: str) -> "Exit":
        """A code with its meaning."""
        member = int.__new__(cls, code)
        member._value_, member.meaning = code, meaning
        return member

    @classmethod
    def sentence(cls) -> str:
        """Every code with its meaning, for help texts."""
        return f"Exit codes: {', '.join(f'{code:d} {code.meaning}' for code in cls)}."


STEERING = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff]"
)
"""Characters that steer a terminal, change the direction of text, or cannot be encoded."""


def printable(text: str) -> str:
    """The same text with every character of `STEERING` written as an escape."""
    return STEERING.sub(lambda found: repr(found.group())[1:-1], text)


class BayescaleError(Exception):
    """Any error raised on purpose by bayescale; `exit_code` is what the command line exits with."""

    exit_code: ClassVar[Exit] = Exit.CRASH

    def __str__(self) -> str:
        """The sentence, in which nothing steers a terminal."""
        return printable(super().__str__())


class UsageError(BayescaleError, ValueError):
    """An argument is wrong: a misspelt name, a number out of its range, options that clash."""

    exit_code = Exit.USAGE


class RunsError(BayescaleError, ValueError):
    """The table of runs cannot be used as given."""

    exit_code = Exit.DATA


class DatasetError(BayescaleError):
    """A dataset is unknown, cannot be fetched, or does not match its checksum."""

    exit_code = Exit.DATA


class PosteriorFileError(BayescaleError, ValueError):
    """A saved posterior is missing, damaged, or was made by an incompatible law or version."""

    exit_code = Exit.DATA


class OutputError(BayescaleError):
    """A file or a stream cannot be written; what the file held before is still there."""

    exit_code = Exit.DATA


class LimitError(BayescaleError):
    """The input is refused because it is too large or not safe to open."""

    exit_code = Exit.LIMIT


class DiagnosticsRefused(BayescaleError):
    """The posterior failed its diagnostics, so nothing is concluded from it unless forced."""

    exit_code = Exit.REFUSED


class BayescaleWarning(UserWarning):
    """Something was repaired or is doubtful; the message says what, and what to do about it."""

    def __str__(self) -> str:
        """The sentence, in which nothing steers a terminal."""
        return printable(super().__str__())


class RunsWarning(BayescaleWarning):
    """The table of runs was repaired on reading, or looks wrong."""


class DiagnosticsWarning(BayescaleWarning):
    """A diagnostic of a posterior is not what it should be."""
