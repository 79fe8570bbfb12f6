"""Parquet, whose columns have types."""

import io
import json
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet

from bayescale.errors import RunsError
from bayescale.runs.reader import AbstractReader, Source, check_names, damaged

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
            parquet = pyarrow.parquet.ParquetFile(file)
            columns = list(parquet.schema_arrow.names)
        except (pa.ArrowException, OSError):
            raise RunsError(damaged(name, "Parquet")) from None
        check_names(columns, name)

        def batches() -> Iterator[pa.RecordBatch]:
            try:
                yield from parquet.iter_batches()
            except (pa.ArrowException, OSError):
                raise RunsError(damaged(name, "Parquet")) from None

        return Source(name, columns, True, batches(), provenance(parquet.schema_arrow.metadata))


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
