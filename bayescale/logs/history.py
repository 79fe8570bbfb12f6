"""From the records of a run to its history: a column a metric, filled as the records come."""

from array import array
from typing import Any

import numpy as np
import pyarrow as pa

from bayescale.errors import LimitError
from bayescale.logs.run_log import STEP

LOGGED_STEP = f"logged_{STEP}"
"""Column of a metric that is itself called ``step`` beside the logger's own count of steps."""

_MOST_CELLS = 100_000_000
_SPARSE_CELLS, _SPARSEST = 20_000_000, 1000  # cells, and cells a value, of a table nearly empty
_MOST_TEXT = 256 << 20
_MOST_INT64 = 2**63


class History:
    """Records as they are read; `table` gives them as the history of a `RunLog`.

    Numbers, True and False are kept as float64. A metric that is text in some records and a number
    in others keeps its numbers, and its texts go to a column of their own, ``NAME.text``.

    Parameters
    ----------
    source
        The file, for messages.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._steps, self._has_step = array("q"), bytearray()
        self._numbers: dict[str, tuple[array[int], array[float]]] = {}
        self._texts: dict[str, tuple[array[int], list[str]]] = {}
        self._text_bytes = 0
        self._in_row: set[str] = set()
        self._doubled: dict[str, int] = {}
        self._inexact: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._steps)

    def record(self, step: Any) -> None:
        """Begin a record; a step that is no whole number of 64 bits is null."""
        whole = isinstance(step, int) and -_MOST_INT64 <= step < _MOST_INT64
        self._steps.append(step if whole else 0)
        self._has_step.append(whole)
        self._in_row.clear()
        if len(self._steps) % 1024 == 0:
            self._check()

    def put(self, name: str, value: Any) -> None:
        """Give the record a value: a number, text, True or False.

        Raises
        ------
        LimitError
            The history would not fit in memory.
        """
        if name == STEP:
            name = LOGGED_STEP
        if name in self._in_row:
            self._doubled[name] = self._doubled.get(name, 0) + 1
        self._in_row.add(name)
        row = len(self._steps) - 1
        if isinstance(value, str):
            self._put_text(name, row, value)
            return
        try:
            number = float(value)
        except OverflowError:  # a whole number beyond 1e308
            self._put_text(name, row, str(value))
            return
        if number != value and number == number:
            self._inexact[name] = self._inexact.get(name, 0) + 1
        column = self._numbers.get(name)
        if column is None:
            column = self._numbers[name] = (array("q"), array("d"))
            self._check()
        column[0].append(row)
        column[1].append(number)

    def point(self, step: Any, name: str, value: Any, time_name: str, time: float) -> None:
        """A value of a logger that writes one metric a record, and its time.

        It joins the record before it if that has the same step and not yet this metric; else it
        begins a record, which has the time as well.
        """
        if (
            not self._steps
            or self._steps[-1] != step
            or (LOGGED_STEP if name == STEP else name) in self._in_row
            or not self._has_step[-1]
        ):
            self.record(step)
            self.put(time_name, time)
        self.put(name, value)

    def _put_text(self, name: str, row: int, value: str) -> None:
        column = self._texts.get(name)
        if column is None:
            column = self._texts[name] = (array("q"), [])
            self._check()
        column[0].append(row)
        column[1].append(value.encode("utf-8", "replace").decode("utf-8"))
        self._text_bytes += len(value)
        if self._text_bytes > _MOST_TEXT:
            raise LimitError(
                f"{self._source}: the texts of a run are longer than {_MOST_TEXT} characters; "
                "log metrics as numbers."
            )

    def _check(self) -> None:
        columns = len(self._numbers) + len(self._texts) + 1
        cells = len(self._steps) * columns
        if cells > _SPARSE_CELLS:
            stored = (places for places, _ in (*self._numbers.values(), *self._texts.values()))
            most = min(_MOST_CELLS, max(_SPARSE_CELLS, _SPARSEST * sum(map(len, stored))))
        else:
            most = _MOST_CELLS
        if cells > most:
            raise LimitError(
                f"{self._source}: a run of {len(self._steps)} records or more with {columns} "
                f"metrics; at most {most} cells are kept in memory. Export the metrics you "
                "need to a Parquet table of steps, and read that."
            )

    def notes(self) -> tuple[str, ...]:
        """Sentences: what is not kept as it was written."""
        found = []
        if LOGGED_STEP in self._numbers or LOGGED_STEP in self._texts:
            found.append(
                f"{self._source}: a metric called {STEP!r} is kept as {LOGGED_STEP!r}; {STEP!r} is "
                "the logger's own count."
            )
        if self._doubled:
            found.append(
                f"{self._source}: {_named(self._doubled)} written twice in one record; the last "
                "value is kept."
            )
        if self._inexact:
            found.append(
                f"{self._source}: {_named(self._inexact)} beyond 2^53 in whole numbers; rounded to "
                "float64."
            )
        both = {name: len(self._texts[name][1]) for name in self._texts if name in self._numbers}
        if both:
            found.append(
                f"{self._source}: {_named(both)} text in some records; see column "
                f"{self._text_columns()[next(iter(both))]!r}."
            )
        return tuple(found)

    def table(self) -> pa.Table:
        """The history of a `RunLog`."""
        rows = len(self._steps)
        self._check()
        steps = np.frombuffer(self._steps, np.int64) if rows else np.empty(0, np.int64)
        missing = ~np.frombuffer(bytes(self._has_step), bool)
        columns: dict[str, pa.Array] = {STEP: pa.array(steps, pa.int64(), mask=missing)}
        for name, (places, values) in self._numbers.items():
            index = np.frombuffer(places, np.int64)
            full, null = np.zeros(rows), np.ones(rows, bool)
            full[index], null[index] = np.frombuffer(values, np.float64), False
            columns[name] = pa.array(full, pa.float64(), mask=null)
        for name, column in self._text_columns().items():
            cells: list[str | None] = [None] * rows
            for place, text in zip(*self._texts[name], strict=True):
                cells[place] = text
            columns[column] = pa.array(cells, pa.string())
        return pa.table(columns)

    def _text_columns(self) -> dict[str, str]:
        """Column of the texts of each metric that has some; no two have the same."""
        found: dict[str, str] = {}
        taken = {*self._numbers, *self._texts}
        for name in self._texts:
            column = name
            while column in (self._numbers if column == name else taken):
                column += ".text"
            taken.add(column)
            found[name] = column
        return found


def _named(counts: dict[str, int]) -> str:
    """Names with how often each was met, the first three of them."""
    shown = [f"{name!r} ({times} times)" for name, times in [*counts.items()][:3]]
    more = f" and {len(counts) - 3} more" if len(counts) > 3 else ""
    return f"{', '.join(shown)}{more} {'is' if len(counts) == 1 else 'are'}"
