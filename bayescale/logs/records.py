"""Records as loggers write them, nested and uneven, to one table of columns."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from bayescale.errors import LimitError
from bayescale.logs.keys import STEPS, first_of

MOST_METRICS = 10_000
"""Different names of metrics in one run; a logger that makes more names made a mistake."""

DEEPEST = 20
"""How deep a record may be nested."""


def flat(record: Mapping[str, Any], prefix: str = "", depth: int = 0) -> dict[str, Any]:
    """The values of a nested record by their keys joined by dots; lists are left out.

    Raises
    ------
    LimitError
        If it is nested more than `DEEPEST` deep.

    Examples
    --------
    >>> flat({"step": 3, "eval": {"loss": 2.5}, "tags": ["a"]})
    {'step': 3, 'eval.loss': 2.5}
    """
    if depth > DEEPEST:
        raise LimitError(f"a record is nested more than {DEEPEST} deep; write flat records.")
    found: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.", depth + 1)
        elif isinstance(value, bool | int | float | str):
            found[f"{prefix}{key}"] = value
    return found


class Records:
    """Flat records of one run, gathered one after the other.

    Parameters
    ----------
    where
        The file, for messages.
    """

    def __init__(self, where: str) -> None:
        self.where = where
        self._rows = 0
        self._columns: dict[str, list[Any]] = {}

    def __len__(self) -> int:
        return self._rows

    def add(self, record: Mapping[str, Any]) -> None:
        """Append a record.

        Raises
        ------
        LimitError
            If there are more than `MOST_METRICS` names.
        """
        for name, value in record.items():
            column = self._columns.setdefault(name, [])
            column.extend([None] * (self._rows - len(column)))
            column.append(value)
        self._rows += 1
        if len(self._columns) > MOST_METRICS:
            raise LimitError(
                f"{self.where}: logs more than {MOST_METRICS} different metrics, which no run "
                "needs; log a metric under one name."
            )

    def history(self) -> pa.Table:
        """One row a record: ``step`` (int64), numbers as float64, text as text.

        The step is the first of `keys.STEPS` that any record has. A column in which numbers and
        text are mixed keeps the numbers.
        """
        step = first_of(STEPS, self._columns)
        columns = {
            name: column + [None] * (self._rows - len(column))
            for name, column in self._columns.items()
        }
        steps = columns.pop(step) if step is not None else [None] * self._rows
        table = {"step": pa.array([_whole(value) for value in steps], pa.int64())}
        table |= {
            name if name != "step" else "step_logged": _column(column)
            for name, column in columns.items()
        }
        return pa.table(table)


def number(value: Any) -> float | None:
    """A number, also one written as text or a word for what is not finite; None for others."""
    if isinstance(value, bool | int | float):
        try:
            return float(value)
        except OverflowError:
            return float("inf") if value > 0 else float("-inf")
    if isinstance(value, str):
        word = value.strip().lower()
        return _WORDS.get(word)
    return None


_WORDS = {
    "nan": float("nan"),
    "inf": float("inf"),
    "infinity": float("inf"),
    "-inf": float("-inf"),
    "-infinity": float("-inf"),
}


def _column(values: list[Any]) -> pa.Array:
    numbers = [number(value) for value in values]
    if any(value is not None for value in numbers):
        return pa.array(numbers, pa.float64())
    return pa.array([value if isinstance(value, str) else None for value in values], pa.string())


def _whole(value: Any) -> int | None:
    """A step: a whole number that 64 bits hold, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not value.is_integer():
        return None
    return int(value) if abs(value) < 2**63 else None
