"""A table of steps in CSV or Parquet, of any size: rows stay in their file until reduced."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bayescale.errors import RunsError
from bayescale.logs.cell import measured
from bayescale.logs.csv_rows import header
from bayescale.logs.format import AbstractFormat
from bayescale.logs.keys import RUNS, STEPS, first_of, run_of
from bayescale.logs.run_log import RunLog
from bayescale.logs.step_file import StepFile, StepRows, connection, quoted

_PARQUET = (".parquet", ".pq")
_SAMPLE = 1 << 18
"""Bytes of a CSV from which its columns of numbers are told."""

_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL")
_NUMBERS = (*_NUMBERS, *(f"U{name}" for name in _NUMBERS))


class Format(AbstractFormat):
    """A column that counts steps, and one that names the run unless the file is one run.

    Also the Parquet files in which W&B exports the whole history of a run.
    """

    title = "step table (CSV, Parquet)"

    def claims(self, path: Path) -> bool:
        """By a column of steps; a CSV also by having none of the marks of other loggers."""
        if not path.is_file():
            return False
        if path.suffix.lower() in _PARQUET:
            try:
                return first_of(STEPS, _schema(path)) is not None
            except RunsError:
                return False
        names = header(path) if path.suffix.lower() == ".csv" else []
        others = path.name == "metrics.csv" or {"Name", "State"}.issubset(names)
        chart = all(" - " in name for name in names[1:]) and len(names) > 1
        return first_of(STEPS, names) is not None and not others and not chart

    def read(self, path: Path) -> Iterator[RunLog]:
        """The runs of a file, found in one pass over it."""
        file = _opened(path)
        try:
            yield from _runs(file, path)
            return
        except _Cut as cut:
            file, note = cut.file, cut.note
        for run in _runs(file, path):
            yield RunLog(**{**vars(run), "notes": (*run.notes, note)})


class _Cut(Exception):
    """The last line of a CSV is half written."""

    def __init__(self, file: StepFile, note: str) -> None:
        super().__init__(note)
        self.file, self.note = file, note


def _schema(path: Path) -> dict[str, str]:
    """Columns of a Parquet file with the types that DuckDB gives them."""
    import duckdb

    from bayescale.logs.step_file import literal

    place = str(path.resolve())
    try:
        with connection([place]) as database:
            query = f"DESCRIBE SELECT * FROM read_parquet({literal(place)})"
            return {row[0]: row[1] for row in database.execute(query).fetchall()}
    except duckdb.Error:
        raise RunsError(
            f"{path}: not a complete Parquet file (damaged or cut short); nothing was read from it."
        ) from None


def _opened(path: Path) -> StepFile:
    if path.suffix.lower() in _PARQUET:
        types = _schema(path)
        kinds = {
            name: "number"
            if kind.startswith(_NUMBERS)
            else "text"
            if kind == "VARCHAR" or kind.startswith("ENUM")
            else "other"
            for name, kind in types.items()
        }
    else:
        kinds = _kinds(path)
    run, step = first_of(RUNS, kinds), first_of(STEPS, kinds)
    if step is None or kinds[step] != "number":
        raise RunsError(
            f"{path}: has no column of numbers that counts steps; name it one of "
            f"{', '.join(STEPS[:6])}."
        )
    if run is not None and kinds[run] == "other":
        raise RunsError(f"{path}: column '{run}' names the runs but holds no text or numbers.")
    if run is not None and path.suffix.lower() == ".csv":
        kinds[run] = "text"
    return StepFile(str(path.resolve()), tuple(kinds.items()), run, step)


def _kinds(path: Path) -> dict[str, str]:
    """Columns of a CSV, each of numbers or of text as most of its first cells are."""
    import csv

    names = header(path)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or "" in names:
        raise RunsError(
            f"{path}: the column name {twice[0] if twice else ''!r} is "
            f"{'used more than once' if twice else 'empty'}; give every column its own name."
        )
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            file.readline()
            lines = file.readlines(_SAMPLE)
        rows = [row for row in csv.reader(lines) if len(row) == len(names)]
    except (OSError, UnicodeDecodeError, csv.Error):
        raise RunsError(f"{path}: is not CSV text in UTF-8 that can be read strictly.") from None
    if not rows:
        raise RunsError(f"{path}: has column names but no whole row; add the steps.")
    kinds = {}
    for at, name in enumerate(names):
        cells = [row[at] for row in rows if row[at].strip()]
        numbers = sum(measured(cell) is not None for cell in cells)
        kinds[name] = "number" if 2 * numbers >= len(cells) else "text"
    return kinds


def _runs(file: StepFile, path: Path) -> Iterator[RunLog]:
    metrics, texts = file.metrics, file.texts
    parts = [f"{file.value} AS run", "count(*)", "min(step)", "max(step)"]
    for name in metrics:
        column = f"CAST({quoted(name)} AS DOUBLE)"
        parts += [f"count({column})", f"min({column})", f"max({column})"]
    for name in texts:
        parts += [f"min({quoted(name)})", f"max({quoted(name)})"]
    count = quoted(str(file.step))
    needed = [quoted(name) for name in (file.run, *metrics, *texts) if name is not None]
    inner = ", ".join(dict.fromkeys([*needed, f"CAST({count} AS BIGINT) AS step"]))
    rows = _query(
        f"SELECT {', '.join(parts)} FROM (SELECT {inner} FROM {file.scan()}) GROUP BY 1 ORDER BY 1",
        file,
        path,
    )
    if not rows:
        raise RunsError(f"{path}: the table has column names but no rows; add the steps.")
    odd = [name for name, kind in file.columns if kind == "other"]
    notes = (f"{path}: columns that hold no numbers or text were left out: {odd[:5]}.",) * bool(odd)
    folder = path.resolve().parent
    for value, number, first, last, *rest in rows:
        counts, config = _described(metrics, texts, rest)
        if value is None:
            notes = (*notes, f"{path}: {number} rows that name no run were left out.")
            continue
        name = str(value) if file.run else run_of(path)
        yield RunLog(
            name=name,
            source=str(path),
            history=StepRows(file, str(value), number, first, last, counts),
            config=config,
            notes=notes,
            identity=f"step_table {folder} {name}",
        )


def _described(
    metrics: tuple[str, ...], texts: tuple[str, ...], cells: list[Any]
) -> tuple[dict[str, int], dict[str, Any]]:
    """Rows of each metric, and what is the same in all rows of a run."""
    counts: dict[str, int] = {}
    config: dict[str, Any] = {}
    for at, name in enumerate(metrics):
        number, least, most = cells[3 * at : 3 * at + 3]
        if number:
            counts[name] = number
        if number and least == most:
            config[name] = int(least) if float(least).is_integer() else least
    for at, name in enumerate(texts):
        least, most = cells[3 * len(metrics) + 2 * at : 3 * len(metrics) + 2 * at + 2]
        if least is not None and least == most:
            config[name] = least
    return counts, config


def _query(query: str, file: StepFile, path: Path) -> list[tuple[Any, ...]]:
    """Rows of a query on one file; what DuckDB says of a damaged file is one sentence.

    Raises
    ------
    RunsError
        If a cell is no number, or the file is damaged.
    """
    import re

    import duckdb

    try:
        with connection([file.path]) as database:
            return database.execute(query).fetchall()
    except duckdb.OutOfMemoryException:
        raise RunsError(f"{path}: reading it takes more memory than allowed; split it.") from None
    except duckdb.Error as error:
        told = str(error)
    except UnicodeDecodeError:
        told = ""
    if path.suffix.lower() in _PARQUET and told.startswith("Conversion Error"):
        raise RunsError(f"{path}: column '{file.step}' holds a step that is no whole number.")
    if path.suffix.lower() in _PARQUET:
        raise RunsError(
            f"{path}: not a complete Parquet file (damaged or cut short); nothing was read from it."
        ) from None
    found = re.search(r"Line: (\d+)", told)
    original = re.search(r"Original Line: ?(.*)", told)
    cell = re.search(r'Error when converting column "(.*?)"\. (.*)', told)
    line = f"line {found[1]}" if found else "a line"
    if original and not file.cut and _last_line(path) == original[1]:
        note = f"{path}: the last {line} is half written and was left out."
        raise _Cut(StepFile(file.path, file.columns, file.run, file.step, cut=True), note)
    wide = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", told)
    why = "it is not valid CSV"
    if cell:
        why = f"column '{cell[1]}': {cell[2][:80].rstrip('.')}"
    elif wide:
        why = f"{wide[2]} cells under {wide[1]} columns"
    elif "quote" in told:
        why = "a quote is not closed"
    raise RunsError(f"{path}: {line} is not as the others ({why}); repair or remove it.") from None


def _last_line(path: Path) -> str | None:
    """The last line of a file."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - (1 << 16), 0))
        tail = file.read()
    return tail.splitlines()[-1].decode("utf-8", "replace") if tail else None
