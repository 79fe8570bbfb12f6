"""Columns of numbers, refused with the row where one is not."""

import numpy as np

from bayescale.errors import RunsError
from bayescale.runs.table import Runs


def number_column(runs: Runs, name: str) -> np.ndarray:
    """A column of numbers.

    Raises
    ------
    RunsError
        If it is absent, or holds text or nothing in a row.
    """
    column = runs.column(name)  # its own refusal of an absent name is a ValueError too
    try:
        values = column.astype(np.float64)
    except (TypeError, ValueError):
        raise RunsError(f"{runs.name}: column '{name}' must hold numbers; it is text.") from None
    if np.any(empty := np.isnan(values)):
        row = int(np.flatnonzero(empty)[0])
        raise RunsError(f"{runs.name}: column '{name}' must hold numbers; row {row + 1} has none.")
    return values


def positive_column(runs: Runs, name: str, *, zero: bool = False) -> np.ndarray:
    """A column of finite positive numbers (with `zero`, of numbers not negative).

    Raises
    ------
    RunsError
        If it is absent, not numbers, or a row is out of range.
    """
    values = number_column(runs, name)
    wrong = ~np.isfinite(values) | (values < 0 if zero else values <= 0)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        allowed = "not negative" if zero else "positive"
        raise RunsError(
            f"{runs.name}: column '{name}' must be finite and {allowed}; row {row + 1} has "
            f"{values[row]:g}."
        )
    return values
