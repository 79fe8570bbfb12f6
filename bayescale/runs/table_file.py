"""A table of runs written to a file: Parquet, which keeps its provenance, or CSV."""

import io
import json
from pathlib import Path

import pandas as pd

from bayescale.atomic_write import require_writable, write_whole
from bayescale.errors import UsageError
from bayescale.runs.readers.parquet import PROVENANCE
from bayescale.runs.table import Runs

SUFFIXES = (".parquet", ".csv")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters by which a spreadsheet takes a cell for a formula."""


def require_table(target: Path) -> None:
    """Refuse a file that could not be written, before the logs are read.

    Raises
    ------
    UsageError
        If the ending is neither ``.parquet`` nor ``.csv``.
    OutputError
        If it could not be written.
    """
    if target.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"the table cannot be written to '{target}': its ending is '{target.suffix}' and must "
            f"be one of {', '.join(SUFFIXES)}."
        )
    require_writable(target)


def write_table(runs: Runs, target: Path) -> None:
    """Write a table whole or not at all.

    In a CSV, text that a spreadsheet would run as a formula gets a ``'`` before it, and the
    provenance is not kept.

    Parameters
    ----------
    runs
        The table.
    target
        A ``.parquet`` or ``.csv`` file.

    Raises
    ------
    UsageError
        If the ending is neither ``.parquet`` nor ``.csv``.
    OutputError
        If it cannot be written.
    """
    require_table(target)
    buffer = io.BytesIO()
    if target.suffix.lower() == ".csv":
        plain = runs.table.map(_safe)
        plain.columns = [_safe(name) for name in plain.columns]
        plain.to_csv(buffer, index=False)
    else:
        _write_parquet(runs, buffer)
    write_whole(target, buffer.getbuffer())


def _write_parquet(runs: Runs, buffer: io.BytesIO) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.Table.from_pandas(_plain(runs.table), preserve_index=False)
    metadata = {PROVENANCE: json.dumps(list(runs.provenance)).encode()}
    parquet.write_table(table.replace_schema_metadata(metadata), buffer)


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """The table, columns of mixed values as text."""
    mixed = [
        name
        for name in table.columns
        if table[name].dtype == object and len({type(v) for v in table[name].dropna()}) > 1
    ]
    return table.assign(**{name: table[name].map(str, na_action="ignore") for name in mixed})


def _safe(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
