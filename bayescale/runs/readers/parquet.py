"""Parquet, whose columns have types."""

import io
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet

from bayescale.errors import RunsError
from bayescale.runs.reader import AbstractReader, Source, check_names, damaged


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

        return Source(name, columns, True, batches())
