"""One column of every run as a table of SQL, whether it lies in memory or in a file.

DuckDB reduces both by the same statement, and a table of steps is never held as a whole.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa

from bayescale.errors import LimitError, RunsError
from bayescale.logs.merged_run import MergedRun
from bayescale.logs.run_log import STEP
from bayescale.logs.step_file import StepFile, StepRows, connection, quoted

BATCH = 1 << 18
"""Rows that are looked at together while the order of steps is checked."""

Columns = Mapping[str, Sequence[str | None]]
"""For each column asked for, the metric of each run that it is; None where a run has none."""


class Query:
    """A database of the runs, in which ``rows_of`` is a table.

    Parameters
    ----------
    database
        An open connection that may read the files of the runs.
    runs
        The runs; the column ``run`` counts them from 0.
    """

    def __init__(self, database: Any, runs: Sequence[MergedRun]) -> None:
        self.database, self.runs = database, runs
        self._tables = 0

    def all(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows of a statement.

        Raises
        ------
        RunsError
            A file changed or was damaged since it was opened.
        LimitError
            The statement takes more memory than allowed.
        """
        import duckdb

        try:
            return self.database.execute(statement).fetchall()
        except duckdb.OutOfMemoryException:
            raise LimitError(
                "the reduction takes more memory than allowed; reduce fewer runs at a time."
            ) from None
        except duckdb.Error as error:
            raise RunsError(
                f"a table of steps cannot be read to its end ({str(error).splitlines()[0][:160]})."
            ) from None

    def rows_of(self, columns: Columns, *, written: bool = False) -> str:
        """A table of SQL: ``run``, ``step``, and the columns asked for; rows that have one of them.

        Where no step was logged it is the number of the record.

        Parameters
        ----------
        columns
            What is asked for.
        written
            Whether a column ``place`` counts the rows in the order written.
        """
        tables = [*self._memory(columns), *self._files(columns, written)]
        if not tables:
            raise RunsError("no run has a record of what is asked for.")
        return "(" + " UNION ALL ".join(tables) + ")"

    def _memory(self, columns: Columns) -> Iterator[str]:
        parts = []
        for number, run in enumerate(self.runs):
            at = 0
            for part in run.parts:
                if isinstance(part.history, StepRows):
                    continue
                table = part.history
                names = {name: metrics[number] for name, metrics in columns.items()}
                held = {n: m for n, m in names.items() if m is not None and _has(table, m)}
                order = np.arange(at, at + table.num_rows)
                at += table.num_rows
                if not held:
                    continue
                empty = pa.nulls(table.num_rows, pa.float64())
                steps = table[STEP].to_numpy(zero_copy_only=False)
                if table[STEP].null_count:
                    steps = np.where(np.isnan(steps.astype(float)), order, steps).astype(np.int64)
                parts.append(
                    pa.table(
                        {
                            "run": pa.array(np.full(table.num_rows, number, np.int32)),
                            "step": pa.array(steps, pa.int64()),
                            "place": pa.array(order, pa.int64()),
                        }
                        | {n: table[held[n]] if n in held else empty for n in names}
                    )
                )
        if parts:
            self._tables += 1
            name = f"memory{self._tables}"
            self.database.register(name, pa.concat_tables(parts))
            some = " OR ".join(f"{quoted(n)} IS NOT NULL" for n in columns)
            listed = ", ".join(quoted(n) for n in columns)
            yield f"SELECT run, step, place, {listed} FROM {name} WHERE {some}"

    def _files(self, columns: Columns, written: bool) -> Iterator[str]:
        for order, (file, members) in enumerate(self.files().items()):
            self._tables += 1
            name = f"names{self._tables}"
            numbers, values = [number for number, _ in members], [value for _, value in members]
            table = {
                "number": pa.array(numbers, pa.int32()),
                "value": pa.array(values, pa.string()),
            }
            self.database.register(name, pa.table(table))
            selected, present = [], []
            for column, metrics in columns.items():
                held = {metrics[number] for number in numbers} - {None}
                held &= {*file.metrics}
                cells = "CAST(NULL AS DOUBLE)"
                if len(held) == 1:
                    cells = f"CAST({quoted(str(next(iter(held))))} AS DOUBLE)"
                    present.append(f"{quoted(column)} IS NOT NULL")
                elif held:
                    raise RunsError(f"{file.path}: its runs log a column under several names.")
                selected.append(f"{cells} AS {quoted(column)}")
            if not present:
                continue
            at = f"({file.at}) + {order << 40}" if written else "0"
            inner = (
                f"SELECT {file.value} AS value, {file.count} AS step, {at} AS place, "
                f"{', '.join(selected)} FROM {file.scan()}"
            )
            listed = ", ".join(quoted(column) for column in columns)
            yield (
                f"SELECT number AS run, step, place, {listed} FROM ({inner}) JOIN {name} "
                f"USING (value) WHERE step IS NOT NULL AND ({' OR '.join(present)})"
            )

    def files(self) -> dict[StepFile, list[tuple[int, str]]]:
        """Files with the runs in each: their number, and what the file calls them."""
        found: dict[StepFile, list[tuple[int, str]]] = {}
        for number, run in enumerate(self.runs):
            for part in run.parts:
                if isinstance(part.history, StepRows):
                    found.setdefault(part.history.file, []).append((number, part.history.value))
        return found

    def ends_in_files(self) -> dict[str, list[tuple[float, float]]]:
        """First and last value, by step, of each metric of the tables of steps, run by run."""
        found: dict[str, list[tuple[float, float]]] = {}
        for file in self.files():
            cells = [f"CAST({quoted(name)} AS DOUBLE)" for name in file.metrics]
            ends = [f"{kind}({cell}, step)" for cell in cells for kind in ("arg_min", "arg_max")]
            if not ends:
                continue
            inner = ", ".join(quoted(name) for name in file.metrics)
            rows = self.all(
                f"SELECT {', '.join(ends)} FROM (SELECT {file.value} AS value, {file.count} AS "
                f"step, {inner} FROM {file.scan()}) WHERE value IS NOT NULL GROUP BY value ORDER "
                "BY value"
            )
            for row in rows:
                for at, name in enumerate(file.metrics):
                    if row[2 * at] is not None:
                        found.setdefault(name, []).append((row[2 * at], row[2 * at + 1]))
        return found

    def rewound(self, columns: Columns) -> dict[int, int]:
        """Runs in which a step does not follow the one before it, with the number of such rows.

        In all other runs every step was written once, so that nothing need be sorted.

        Parameters
        ----------
        columns
            The metric whose rows count, under one name.
        """
        last = np.full(len(self.runs), np.iinfo(np.int64).min)
        back = np.zeros(len(self.runs), np.int64)
        for table in [*self._memory(columns), *self._files(columns, written=False)]:
            reader = self.database.sql(f"SELECT run, step FROM ({table})").to_arrow_reader(BATCH)
            for batch in reader:
                _check(batch["run"].to_numpy(), batch["step"].to_numpy(), last, back)
        return {int(run): int(back[run]) for run in np.flatnonzero(back)}


def _check(run: np.ndarray, step: np.ndarray, last: np.ndarray, back: np.ndarray) -> None:
    """Count the rows of a batch whose step is not beyond the one before it in the same run."""
    if not len(run):
        return
    if np.any(run[1:] < run[:-1]):
        kind = np.uint16 if len(last) < 1 << 16 else run.dtype  # sorted by counting
        order = np.argsort(run.astype(kind), kind="stable")
        run, step = run[order], step[order]
    starts = np.flatnonzero(np.r_[True, run[1:] != run[:-1]])
    before = np.empty_like(step)
    before[1:] = step[:-1]
    before[starts] = last[run[starts]]
    wrong = run[step <= before]
    if len(wrong):
        back += np.bincount(wrong, minlength=len(back))
    ends = np.r_[starts[1:], len(run)] - 1
    last[run[ends]] = step[ends]


def _has(table: pa.Table, name: str) -> bool:
    return name in table.column_names and pa.types.is_floating(table.schema.field(name).type)


@contextmanager
def query(runs: Sequence[MergedRun]) -> Iterator[Query]:
    """A database of some runs, closed at the end.

    Parameters
    ----------
    runs
        The runs.
    """
    files = {
        part.history.file.path
        for run in runs
        for part in run.parts
        if isinstance(part.history, StepRows)
    }
    with connection(sorted(files)) as database:
        yield Query(database, runs)


def listed(numbers: Sequence[int]) -> str:
    """Numbers of runs as a list of SQL, which is never empty."""
    return f"({', '.join(map(str, numbers)) or 'NULL'})"
