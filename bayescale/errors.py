"""The errors bayescale raises: one sentence each, and the exit code the command line gives it.

Every message says what is wrong, what was given, what is allowed, and what to do.
"""

from typing import ClassVar


class BayescaleError(Exception):
    """Any error raised on purpose by bayescale; `exit_code` is what the command line exits with."""

    exit_code: ClassVar[int] = 1


class UsageError(BayescaleError, ValueError):
    """An argument is wrong: a misspelt name, a number out of its range, options that clash."""

    exit_code = 2


class RunsError(BayescaleError, ValueError):
    """The table of runs cannot be used as given."""

    exit_code = 3


class DatasetError(BayescaleError):
    """A dataset is unknown, cannot be fetched, or does not match its checksum."""

    exit_code = 3


class PosteriorFileError(BayescaleError, ValueError):
    """A saved posterior is missing, damaged, or was made by an incompatible law or version."""

    exit_code = 3


class LimitError(BayescaleError):
    """The input is refused because it is too large or not safe to open."""

    exit_code = 4


class DiagnosticsRefused(BayescaleError):
    """The posterior failed its diagnostics, so nothing is concluded from it unless forced."""

    exit_code = 5


class BayescaleWarning(UserWarning):
    """Something was repaired or is doubtful; the message says what, and what to do about it."""


class RunsWarning(BayescaleWarning):
    """The table of runs was repaired on reading, or looks wrong."""


class DiagnosticsWarning(BayescaleWarning):
    """A diagnostic of a posterior is not what it should be."""
