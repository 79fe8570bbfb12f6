"""One column of every run as a table of SQL, whether it lies in memory or in a file.

DuckDB reduces both by the same statement, and a table of steps is never held as a whole.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from bayescale.errors import LimitError, RunsError
from bayescale.logs.merged_run import MergedRun
from bayescale.logs.run_log import STEP
from bayescale.logs.step_file import StepFile, StepRows, connection, literal, quoted

pc: Any = pyarrow.compute  # its functions are generated on import, unseen by type checkers

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
        self._rewound: dict[StepFile, set[int]] = {}

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
            raise RunsError(_told(error)) from None

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

    def rewound(self, columns: Columns) -> list[int]:
        """Runs in which a step does not follow the one before it; all others wrote each step once.

        Parameters
        ----------
        columns
            The metric whose rows count, under one name.
        """
        back = np.zeros(len(self.runs), bool)
        last = np.full(len(self.runs), np.iinfo(np.int64).min)
        for table in self._memory(columns):
            for batch in self._batches(f"SELECT run, step FROM ({table})"):
                _check(batch["run"].to_numpy(), batch["step"].to_numpy(), last, back)
        metrics = next(iter(columns.values()))
        for file, members in self.files().items():
            wanted = [one for one in members if metrics[one[0]] in file.metrics]
            if not wanted:
                continue
            if file not in self._rewound:
                self._rewound[file] = self._in_file(file, members, "true")
            if self._rewound[file].intersection(number for number, _ in wanted):
                some = f"{quoted(str(metrics[wanted[0][0]]))} IS NOT NULL"
                back[[*self._in_file(file, wanted, some)]] = True
        back[[number for number, run in enumerate(self.runs) if _overlap(run)]] = True
        return [int(run) for run in np.flatnonzero(back)]

    def _in_file(self, file: StepFile, members: list[tuple[int, str]], where: str) -> set[int]:
        """Runs of a file in which a step does not follow the one before it."""
        self._tables += 1
        values = ", ".join(literal(value) for _, value in members)
        self.database.execute(f"CREATE TYPE values{self._tables} AS ENUM ({values})")
        last = np.full(len(members), np.iinfo(np.int64).min)
        back = np.zeros(len(members), bool)
        # a join would not keep the rows in the order of the file
        for batch in self._batches(
            f"SELECT enum_code(TRY_CAST({file.value} AS values{self._tables})) AS run, "
            f"{file.count} AS step FROM {file.scan()} WHERE {where}"
        ):
            run, step = batch["run"], batch["step"]
            if run.null_count or step.null_count:
                whole = pc.and_(run.is_valid(), step.is_valid())
                run, step = run.filter(whole), step.filter(whole)
            _check(run.to_numpy(), step.to_numpy(), last, back)
        return {members[at][0] for at in np.flatnonzero(back)}

    def _batches(self, statement: str) -> Iterator[pa.RecordBatch]:
        import duckdb

        try:
            yield from self.database.sql(statement).to_arrow_reader(BATCH)
        except (duckdb.Error, pa.ArrowException) as error:
            raise RunsError(_told(error)) from None


def _told(error: Exception) -> str:
    line = str(error).splitlines()[0][:160]
    return f"a table of steps cannot be read to its end ({line}); it changed, or it is damaged."


def _overlap(run: MergedRun) -> bool:
    """Whether a part in a file begins before an earlier one ended."""
    done: int | None = None
    for part in run.parts:
        rows = part.history
        if isinstance(rows, StepRows) and rows.first is not None and rows.last is not None:
            if done is not None and rows.first <= done:
                return True
            done = rows.last if done is None else max(done, rows.last)
    return False


def _check(run: np.ndarray, step: np.ndarray, last: np.ndarray, back: np.ndarray) -> None:
    """Mark the runs of a batch in which a step is not beyond the one before it."""
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
    back[run[step <= before]] = True
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
