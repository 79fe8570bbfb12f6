"""A table gathered from wherever it is, under the names N, D, C, loss and run."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute

from bayescale.errors import RunsError, UsageError
from bayescale.runs.cells import Numbers, as_arrow, inferred
from bayescale.runs.dialect import Dialect
from bayescale.runs.frames import WHERE, in_memory
from bayescale.runs.mapping import Roles, roles
from bayescale.runs.reader import MOST_ROWS, Source, check_names, too_many_rows
from bayescale.runs.reading import open_source
from bayescale.runs.units import absurd
from bayescale.runs.vocabulary import NUMERIC, counting, figure, listed, shown

pc: Any = pyarrow.compute  # its functions are generated on import, unseen by type checkers


@dataclass(frozen=True)
class Stated:
    """What who reads a table states about it.

    Parameters
    ----------
    columns
        From our names to those of the table.
    units
        What the numbers of N, D, C or the loss count in.
    dialect
        The separator of a text, and its decimal point or comma.
    guess
        Whether columns may be taken by the look of their names, and units from headers and cells.
    max_rows
        With more rows a file or a stream is refused.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, float] = field(default_factory=dict)
    dialect: Dialect = field(default_factory=Dialect)
    guess: bool = True
    max_rows: int = MOST_ROWS


@dataclass(frozen=True)
class Gathered:
    """A table under our names.

    Parameters
    ----------
    table
        Its columns.
    labels
        What each column was called.
    where
        What the source is called in messages.
    roles
        Which column is what, and why.
    notices, notes
        Sentences: what may be wrong, and what was done.
    provenance
        Sentences that the table keeps on how it was made.
    """

    table: pd.DataFrame
    labels: dict[str, str]
    where: str
    roles: Roles
    notices: list[str]
    notes: list[str]
    provenance: tuple[str, ...]


def gather(given: Any, stated: Stated) -> Gathered:
    """Gather a table from a file, a stream or memory.

    Raises
    ------
    RunsError
        It cannot be used; the message names the row and the column.
    LimitError
        Opening it could run code or exhaust memory.
    UsageError
        What is stated is impossible.
    """
    with contextlib.ExitStack() as stack:
        source = None if isinstance(given, pd.DataFrame) else in_memory(given)
        separator = stated.dialect.separator
        if separator is not None and (source is not None or isinstance(given, pd.DataFrame)):
            raise UsageError(
                f"the separator is {separator!r}, but a table in memory has none; leave it out."
            )
        if isinstance(given, pd.DataFrame):
            names = [str(column) for column in given.columns]
            check_names(names, WHERE)
            series = [given.iloc[:, i].reset_index(drop=True) for i in range(len(names))]
            kept = given.attrs.get("provenance", ())
            provenance = tuple(map(str, kept)) if isinstance(kept, list | tuple) else ()
            source = Source(WHERE, names, True, iter(()), provenance=provenance)
            return _gathered(source, stated, series)
        if source is None:
            source = open_source(given, stack, separator, stated.max_rows)
            source = replace(source, batches=_counted(source, stated.max_rows))
        return _gathered(source, stated, None)


def _counted(source: Source, max_rows: int) -> Iterator[pa.RecordBatch]:
    """The batches of a source, until there are too many rows in them."""
    rows = 0
    for batch in source.batches:
        rows += len(batch)
        if rows > max_rows:
            raise too_many_rows(source.name, max_rows)
        yield batch


def _gathered(source: Source, stated: Stated, series: list[pd.Series] | None) -> Gathered:
    where, found = source.name, source.columns
    what = roles(found, stated.columns, stated.units, where, guess=stated.guess)
    numbers = {
        i: Numbers(
            found[i],
            where,
            name,
            letters=stated.guess or name in stated.units,
            decimal=stated.dialect.decimal,
            factor=what.factors.get(name),
            stated=name in stated.units,
        )
        for i, name in enumerate(what.names)
        if name in NUMERIC
    }
    others: dict[int, list[pa.Array]] = {
        i: []
        for i, name in enumerate(what.names)
        if name not in NUMERIC and (series is None or name == "run")
    }
    batches: Any = source.batches
    if series is not None:
        batches = [{i: as_arrow(series[i]) for i in (*numbers, *others)}]
    for batch in batches:
        for i, column in numbers.items():
            column.add(batch[i])
        for i, chunks in others.items():
            chunks.append(batch[i])
    if not any(len(column) for column in numbers.values()):
        raise RunsError(f"{where}: the table has column names but no rows; add the runs.")
    table: dict[str, Any] = {}
    for i, name in enumerate(what.names):
        if i in numbers:
            table[name] = numbers[i].values()
        elif name == "run":
            table[name] = _text(others[i], where, found[i])
        elif series is not None:
            table[name] = series[i]
        elif source.typed:
            table[name] = pa.chunked_array(others[i]).to_pandas()
        else:
            table[name] = inferred(others[i], stated.dialect.decimal)
    labels = dict(zip(what.names, found, strict=True))
    _require_plausible(table, labels, what, where)
    gathered = pd.DataFrame(table, copy=False)
    notices = [*source.notices, *what.notices, *_lettered([*numbers.values()], where)]
    notes = [*what.notes, *_grouped([*numbers.values()], where, stated.dialect)]
    return Gathered(gathered, labels, where, what, notices, notes, source.provenance)


def _text(chunks: list[pa.Array], where: str, label: str) -> pd.Series:
    try:
        text = pc.cast(pa.chunked_array(chunks), pa.string())
    except pa.ArrowException:
        raise RunsError(
            f"{where}: column '{shown(label)}' names the runs but does not hold text or numbers; "
            "give each run a name."
        ) from None
    text = pc.utf8_trim_whitespace(text)
    return pc.if_else(pc.equal(text, ""), None, text).to_pandas().astype("str")


def _require_plausible(
    table: Mapping[str, Any], labels: Mapping[str, str], what: Roles, where: str
) -> None:
    """Refuse a unit of a header where it would make every run absurdly large."""
    for name in what.from_header:
        known = table[name][~np.isnan(table[name])]
        least = float(f"{known.min(initial=np.inf):.3g}")
        if len(known) and absurd(name, least):
            factor = what.factors[name]
            raise RunsError(
                f"{where}: the header '{shown(labels[name])}' says that {name} counts in "
                f"{figure(factor)}, but then no run has less than {figure(least)}; say what its "
                f"numbers count in: {counting({name: 1})}, or {figure(factor)} in place of 1."
            )


def _lettered(numbers: list[Numbers], where: str) -> list[str]:
    found = [column for column in numbers if column.lettered]
    if not found:
        return []
    cells = sum(column.lettered for column in found)
    verb = "were" if cells > 1 else "was"
    return [
        f"{where}: {cells} cell{'s' if cells > 1 else ''} such as '{found[0].example}' in "
        f"{listed([column.label for column in found])} {verb} read with k as 1e3, M 1e6, B 1e9 and "
        "T 1e12; write plain numbers to avoid doubt."
    ]


def _grouped(numbers: list[Numbers], where: str, dialect: Dialect) -> list[str]:
    called = "points" if dialect.decimal == "," else "commas"
    return [
        f"{where}: {called} in {column.grouped} cells of column '{shown(column.label)}' were "
        "read as thousands separators."
        for column in numbers
        if column.grouped
    ]
