"""Tables that are in memory already: of any data frame library, of columns, or of rows."""

import os
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from bayescale.errors import RunsError, UsageError
from bayescale.runs.reader import Source, check_names
from bayescale.runs.reading import Readable
from bayescale.runs.records import from_columns, from_records

WHERE = "table"
"""What a table in memory is called in messages."""

KINDS = (
    "a file, an open stream, a data frame (pandas, polars, Arrow, a DuckDB relation), a mapping "
    "from columns to lists, or a list of mappings"
)
"""What a table of runs may be given as, for messages."""


def in_memory(given: Any) -> Source | None:
    """Return a table that is in memory as an opened source; of a path or a stream return None.

    Data frames are understood through narwhals, so that none of their libraries is imported here;
    lazy ones (DuckDB relations, polars queries) are evaluated.

    Raises
    ------
    RunsError
        It is no table, or evaluating it failed.
    UsageError
        It is a thing of another kind.
    """
    if isinstance(given, str | os.PathLike):
        return None
    if isinstance(given, Mapping):
        return from_columns(given, WHERE)
    if isinstance(given, list | tuple):
        return from_records(given, WHERE)
    table = _arrow(given)
    if table is not None:
        names = [str(name) for name in table.column_names]
        check_names(names, WHERE)
        return Source(WHERE, names, True, iter(table.to_batches()))
    if isinstance(given, Readable):
        return None
    raise UsageError(f"a table of runs is {KINDS}; got {type(given).__name__}.")


def _arrow(given: Any) -> pa.Table | None:
    if isinstance(given, pa.RecordBatch):
        return pa.Table.from_batches([given])
    import narwhals

    try:
        frame = narwhals.from_native(given, pass_through=True, allow_series=True)
        if isinstance(frame, narwhals.Series):
            return None
        if isinstance(frame, narwhals.LazyFrame):
            frame = frame.collect("pyarrow")
        if isinstance(frame, narwhals.DataFrame):
            return frame.to_arrow()
        return pa.table(given) if hasattr(given, "__arrow_c_stream__") else None
    except Exception as error:  # whatever library evaluates it has errors of its own
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise RunsError(
            f"{WHERE}: the {type(given).__module__.partition('.')[0]} table could not be read "
            f"({reason[:200]}); give it as a pandas DataFrame or a file."
        ) from None
