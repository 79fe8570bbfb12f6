"""Parquet, whose columns have types."""

import io
import json
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet

from bayescale.errors import LimitError, RunsError
from bayescale.runs.reader import AbstractReader, Source, check_names, damaged

_BOMB_ROWS, _BOMB_RATIO = 10_000_000, 20
PROVENANCE = b"bayescale.provenance"
"""Key of the metadata under which a table keeps how it was made."""


class Reader(AbstractReader):
    """A Parquet file, read a row group at a time."""

    title = "Parquet"
    suffixes = (".parquet", ".pq")
    marks = (b"PAR1",)

    def open(self, file: io.BufferedIOBase, name: str) -> Source:
        """Open a file without reading its rows yet."""
        try:
            parquet = pyarrow.parquet.ParquetFile(file, page_checksum_verification=True)
            columns = list(parquet.schema_arrow.names)
            rows = parquet.metadata.num_rows
        except Exception:  # a damaged file makes it raise anything
            raise RunsError(damaged(name, "Parquet")) from None
        check_names(columns, name)
        size = file.seek(0, io.SEEK_END)
        if rows > _BOMB_ROWS and rows > _BOMB_RATIO * size:
            raise LimitError(
                f"{name}: {size} bytes that unpack to {rows} rows are refused; save the table as "
                "CSV if you trust it."
            )

        def batches() -> Iterator[pa.RecordBatch]:
            read = 0
            try:
                for batch in parquet.iter_batches():
                    read += len(batch)
                    yield batch
            except Exception:
                raise RunsError(damaged(name, "Parquet")) from None
            if read != rows:
                raise RunsError(damaged(name, "Parquet"))

        kept = provenance(parquet.schema_arrow.metadata)
        return Source(name, columns, True, batches(), provenance=kept)


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
