"""A table of steps of many runs, left in its file until it is reduced: 50 million rows and more."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

MEMORY = "250MB"
"""What DuckDB may hold; what is more goes to a temporary folder."""


@dataclass(frozen=True)
class StepFile:
    """A CSV or Parquet file with one row a run and step.

    Parameters
    ----------
    path
        Where it lies.
    columns
        Its columns in order, each with its type: ``text`` or ``number``.
    run
        The column that names the run; None where the file is one run.
    step
        The column that counts steps; None where rows are counted.
    cut
        Whether the last line is half written, and is skipped.
    """

    path: str
    columns: tuple[tuple[str, str], ...]
    run: str | None
    step: str | None
    cut: bool = False

    @property
    def metrics(self) -> tuple[str, ...]:
        """The columns of numbers that are not the step or the run."""
        return tuple(
            name
            for name, kind in self.columns
            if kind == "number" and name not in (self.run, self.step, "step")
        )

    @property
    def texts(self) -> tuple[str, ...]:
        """The columns of text that are not the run."""
        return tuple(name for name, kind in self.columns if kind == "text" and name != self.run)

    def scan(self) -> str:
        """The file as a table of SQL."""
        if not self.path.lower().endswith(".csv"):
            return f"read_parquet({literal(self.path)}, file_row_number = true)"
        types = ", ".join(
            f"{literal(name)}: '{'VARCHAR' if kind == 'text' else 'DOUBLE'}'"
            for name, kind in self.columns
        )
        return (
            f"read_csv({literal(self.path)}, auto_detect = false, header = true, delim = ',', "
            f"quote = '\"', escape = '\"', columns = {{{types}}}, "
            f"ignore_errors = {str(self.cut).lower()})"
        )

    @property
    def value(self) -> str:
        """The name of the run, in SQL."""
        return "''" if self.run is None else f"CAST({quoted(self.run)} AS VARCHAR)"

    @property
    def count(self) -> str:
        """The step, in SQL."""
        return self.at if self.step is None else f"CAST({quoted(self.step)} AS BIGINT)"

    @property
    def at(self) -> str:
        """The number of the row in the file, in SQL."""
        csv = self.path.lower().endswith(".csv")
        return "row_number() OVER ()" if csv else "file_row_number"


@dataclass(frozen=True, eq=False)
class StepRows:
    """The rows of one run in such a file.

    Parameters
    ----------
    file
        The file.
    value
        What its column `run` holds for this run.
    num_rows
        Number of rows.
    first, last
        Least and largest step; None where no row has a step.
    counts
        Of each metric that the run has, how many rows have it.
    """

    file: StepFile
    value: str
    num_rows: int
    first: int | None
    last: int | None
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def column_names(self) -> list[str]:
        """``step`` and the metrics, as of a table in memory."""
        return ["step", *self.counts]

    def to_table(self) -> pa.Table:
        """The rows in memory, in the order written."""
        with connection([self.file.path]) as database:
            columns = ", ".join(f"CAST({quoted(m)} AS DOUBLE) AS {quoted(m)}" for m in self.counts)
            columns = f"{self.file.count} AS step" + (f", {columns}" if columns else "")
            whose = f"{self.file.value} = {literal(self.value)}"
            query = f"SELECT {columns} FROM {self.file.scan()} WHERE {whose}"
            return database.sql(query).to_arrow_table()


def quoted(name: str) -> str:
    """A name of SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text of SQL."""
    return "'" + text.replace("'", "''") + "'"


@contextmanager
def connection(paths: Iterable[str]) -> Iterator[Any]:
    """DuckDB for a few files: no other file, no network, little memory.

    Parameters
    ----------
    paths
        The files that may be read.
    """
    import duckdb

    with TemporaryDirectory() as folder:
        database = duckdb.connect(
            config={
                "memory_limit": MEMORY,
                "temp_directory": folder,
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
            }
        )
        try:
            allowed = ", ".join(literal(path) for path in paths)
            database.execute(f"SET allowed_paths = [{allowed}]")
            database.execute("SET enable_external_access = false")
            with suppress(duckdb.Error):  # in a notebook without widgets there is none to turn off
                database.execute("SET enable_progress_bar = false")
            # a file is never the side of a join that is held
            database.execute("SET disabled_optimizers = 'join_order,build_side_probe_side'")
            database.execute("SET lock_configuration = true")
            yield database
        finally:
            database.close()
