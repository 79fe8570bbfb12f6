"""Rows that are mappings from names to values, gathered into columns: nested names are joined."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
import pyarrow as pa

from bayescale.errors import LimitError, RunsError
from bayescale.runs.cells import as_arrow
from bayescale.runs.reader import MOST_COLUMNS, Source, check_names, too_many_rows

_CELLS, _EMPTY = 10_000_000, 100
"""Cells that are always made, and times the values given that are."""


def from_records(records: Iterable[Any], where: str, max_rows: int | None = None) -> Source:
    """Return rows as a table: a name that a row lacks is a missing cell.

    Parameters
    ----------
    records
        Mappings. The names of a mapping within a mapping are joined by a point, `config.N`; a list
        is kept as its JSON text.
    where
        What the table is called in messages.
    max_rows
        How many rows are allowed.

    Raises
    ------
    RunsError
        A row is no mapping, or has two values of one name.
    LimitError
        There are too many names or rows, or the table is all but empty.
    """
    columns: dict[str, list[Any]] = {}
    rows, given = 0, 0
    for record in records:
        if not isinstance(record, Mapping):
            raise RunsError(
                f"{where}: row {rows + 1} is {_called(record)}; give each row as names with "
                'values, such as {"N": 1e9, "D": 2e10, "loss": 2.9}.'
            )
        flat: dict[str, Any] = {}
        try:
            _flatten(record, "", flat, f"{where}: row {rows + 1}")
        except RecursionError:
            raise LimitError(f"{where}: row {rows + 1} is nested too deeply; not read.") from None
        for name, value in flat.items():
            cells = columns.setdefault(name, [])
            cells.extend([None] * (rows - len(cells)))
            cells.append(value)
        if len(columns) > MOST_COLUMNS:
            check_names([*columns], where)
        rows, given = rows + 1, given + len(flat)
        if max_rows is not None and rows > max_rows:
            raise too_many_rows(where, max_rows)
        if rows * len(columns) > max(_CELLS, _EMPTY * given):
            raise LimitError(
                f"{where}: {given} values that would make {rows} rows of {len(columns)} columns, "
                "nearly all empty, are refused; keep the columns that describe the runs."
            )
    for cells in columns.values():
        cells.extend([None] * (rows - len(cells)))
    return from_columns(columns, where)


def from_columns(columns: Mapping[Any, Any], where: str) -> Source:
    """Return named lists, one a column, as a table.

    Raises
    ------
    RunsError
        A column is no list, or is not as long as the others.
    """
    lengths = {}
    for name, cells in columns.items():
        if isinstance(cells, str | bytes | Mapping) or not hasattr(cells, "__len__"):
            raise RunsError(
                f"{where}: column {str(name)!r} is {_called(cells)}; give each column as a list, "
                "with a value for each run."
            )
        if getattr(cells, "ndim", 1) != 1:
            raise RunsError(f"{where}: column {str(name)!r} must have one value for each run.")
        lengths[str(name)] = len(cells)
    names = [str(name) for name in columns]
    check_names(names, where)
    if len({*lengths.values()}) > 1:
        told = ", ".join(f"{name!r} {length}" for name, length in [*lengths.items()][:6])
        raise RunsError(f"{where}: the columns are not equally long ({told}); repair the table.")
    arrays = [as_arrow(_series(cells)) for cells in columns.values()]
    batch = pa.RecordBatch.from_arrays(arrays, names=names)
    return Source(where, names, True, iter([batch]))


def _series(cells: Any) -> pd.Series:
    if isinstance(cells, list | tuple):
        return pd.Series([*cells], dtype=object)
    return cells.reset_index(drop=True) if isinstance(cells, pd.Series) else pd.Series([*cells])


def _flatten(record: Mapping[Any, Any], prefix: str, flat: dict[str, Any], where: str) -> None:
    for key, value in record.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            _flatten(value, f"{name}.", flat, where)
            continue
        if name in flat:
            raise RunsError(f"{where} has two values of {name!r}; keep one.")
        flat[name] = json.dumps(value, default=str) if isinstance(value, list | tuple) else value


def _called(value: Any) -> str:
    kind = type(value).__name__
    return "null" if value is None else f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
