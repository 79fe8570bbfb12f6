"""Parquet, whose columns have types."""

import io
import json
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet

from bayescale.errors import LimitError, RunsError
from bayescale.runs.cells import pc
from bayescale.runs.reader import (
    MOST_COLUMNS,
    MOST_ROWS,
    AbstractReader,
    Source,
    check_names,
    damaged,
    too_many_rows,
    unpacks_too_far,
)

_CELL = 8  # bytes of a number
PROVENANCE = b"bayescale.provenance"
"""Key of the metadata under which a table keeps how it was made."""


class Reader(AbstractReader):
    """A Parquet file, read a row group at a time."""

    title = "Parquet"
    suffixes = (".parquet", ".pq")
    marks = (b"PAR1",)

    def open(self, file: io.BufferedIOBase, name: str, max_rows: int = MOST_ROWS) -> Source:
        """Open a file without reading its rows yet."""
        try:
            parquet = pyarrow.parquet.ParquetFile(file, page_checksum_verification=True)
            rows, leaves = parquet.metadata.num_rows, parquet.metadata.num_columns
            if leaves > MOST_COLUMNS:  # their schema alone takes a long time
                check_names([str(i) for i in range(leaves)], name)
            columns = list(parquet.schema_arrow.names)
            declared = _declared(parquet.metadata)
        except (LimitError, MemoryError):
            raise
        except Exception:  # a damaged file makes it raise anything
            raise RunsError(damaged(name, "Parquet")) from None
        check_names(columns, name)
        if rows > max_rows:
            raise too_many_rows(name, max_rows, rows=rows)
        size = file.seek(0, io.SEEK_END)
        if refusal := unpacks_too_far(name, size, declared, max_rows):
            raise refusal
        # Texts that repeat are kept once until it is known how long they are together.
        texts = [one.name for one in parquet.schema_arrow if _is_text(one.type)]

        def batches() -> Iterator[pa.RecordBatch]:
            read, seen = 0, 0
            try:
                file.seek(0)
                whole = pyarrow.parquet.ParquetFile(
                    file, page_checksum_verification=True, read_dictionary=texts
                )
                for batch in whole.iter_batches():
                    read += len(batch)
                    seen += sum(map(_bytes, batch.columns))
                    if refusal := unpacks_too_far(name, size, seen, max_rows):
                        raise refusal
                    yield _plain(batch)
            except (LimitError, MemoryError):
                raise
            except Exception:
                raise RunsError(damaged(name, "Parquet")) from None
            if read != rows:
                raise RunsError(damaged(name, "Parquet"))

        kept = provenance(parquet.schema_arrow.metadata)
        return Source(name, columns, True, batches(), provenance=kept)


def _declared(metadata: pyarrow.parquet.FileMetaData) -> int:
    """Bytes that a file says it unpacks to: in lists a row has many values."""
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    values = [group.column(i).num_values for group in groups for i in range(group.num_columns)]
    return max(_CELL * sum(values), sum(group.total_byte_size for group in groups))


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _bytes(cells: pa.Array) -> int:
    """Bytes that the cells take once each holds its own text."""
    if not (pa.types.is_dictionary(cells.type) and _is_text(cells.type.value_type)):
        return cells.nbytes
    lengths = pc.binary_length(cells.dictionary).cast(pa.int64())
    return pc.sum(lengths.take(cells.indices)).as_py() or 0


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with each text in its own cell."""
    arrays = [
        cells.cast(cells.type.value_type)
        if pa.types.is_dictionary(cells.type) and _is_text(cells.type.value_type)
        else cells
        for cells in batch.columns
    ]
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def provenance(metadata: dict[bytes, bytes] | None) -> tuple[str, ...]:
    """Sentences on how a table was made, which the metadata of a schema hold; few have any.

    Examples
    --------
    >>> provenance({PROVENANCE: b'["The loss is the last."]'}), provenance(None)
    (('The loss is the last.',), ())
    """
    try:
        found = json.loads((metadata or {}).get(PROVENANCE, b"[]"))
    except (ValueError, RecursionError):
        return ()
    sentences = found if isinstance(found, list) else []
    return tuple(one[:10_000] for one in sentences[:1000] if isinstance(one, str))
