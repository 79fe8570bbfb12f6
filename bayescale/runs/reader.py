"""What a file format is: how it is recognised, and how a file of it is opened."""

import io
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from bayescale.errors import LimitError, RunsError, UsageError

MOST_COLUMNS = 10_000
"""More are no table of runs."""

MOST_ROWS = 1_000_000
"""More are read where it is asked for only."""


_ROW_BYTES, _BOMB_RATIO = 256, 200
"""Bytes a row that are always unpacked, and times the size of a file that are."""


@dataclass(frozen=True)
class Source:
    """An opened file: its name in messages, its column names, its rows in batches.

    `typed` says that the file gives each column its type; otherwise every cell is text. `notices`
    say what was lost of a damaged file; `provenance` holds the sentences that the file keeps on how
    it was made.
    """

    name: str
    columns: list[str]
    typed: bool
    batches: Iterator[pa.RecordBatch]
    notices: tuple[str, ...] = ()
    provenance: tuple[str, ...] = ()


class AbstractReader(ABC):
    """A file format; nothing that it reads may be evaluated or unpickled."""

    title: ClassVar[str]
    """What the format is called in messages."""

    suffixes: ClassVar[tuple[str, ...]]
    """Endings of file names, in lower case."""

    marks: ClassVar[tuple[bytes, ...]] = ()
    """First bytes of a file, by which it is known whatever its name."""

    streams: ClassVar[bool] = False
    """Whether it is read from standard input and open streams."""

    def separated_by(self, separator: str) -> "AbstractReader":
        """Return the same format of text with another separator between its cells.

        Raises
        ------
        UsageError
            The format has no separators.
        """
        raise UsageError(
            f"the separator is {separator!r}, but {self.title} has none; leave it out."
        )

    @abstractmethod
    def open(self, file: io.BufferedIOBase, name: str, max_rows: int = MOST_ROWS) -> Source:
        """Open a file without reading its rows yet.

        Parameters
        ----------
        file
            The file, at its start; it can be sought in.
        name
            Its name.
        max_rows
            With more rows it is refused, as soon as it is seen that there are more.

        Raises
        ------
        RunsError
            The file is damaged, or not in a form that can be read without guessing.
        LimitError
            Opening the file could run code or exhaust memory.
        """


def damaged(name: str, kind: str) -> str:
    """Return the sentence that says a file is not whole."""
    return f"{name}: not a complete {kind} file (damaged or cut short); nothing was read from it."


def too_many_rows(name: str, max_rows: int, *, rows: int | None = None) -> LimitError:
    """Return the refusal of a table of too many rows, which says how to have it read."""
    has = f"has {rows} rows" if rows else f"has more than {max_rows} rows"
    return LimitError(
        f"{name}: {has}, and at most {max_rows} are read; keep one row a run, or allow more with "
        f"max_rows={rows or 10 * max_rows} (command line: --max-rows {rows or 10 * max_rows})."
    )


def unpacks_too_far(name: str, packed: int, unpacked: int, max_rows: int) -> LimitError | None:
    """Return the refusal of what unpacks to far more than its size in bytes, if it does."""
    most = max(max_rows, MOST_ROWS) * _ROW_BYTES
    if unpacked <= most or unpacked <= _BOMB_RATIO * packed:
        return None
    return LimitError(
        f"{name}: unpacks to more than {_BOMB_RATIO} times its size and {most >> 20} MB, so it is "
        "refused; unpack it yourself if you trust it."
    )


def check_names(columns: list[str], name: str) -> None:
    """Refuse a table whose column names repeat, or are too many to be a table of runs."""
    if len(columns) > MOST_COLUMNS:
        raise LimitError(
            f"{name}: has {len(columns)} columns; at most {MOST_COLUMNS} are read, so keep those "
            "that describe the runs."
        )
    repeated = sorted(column for column, count in Counter(columns).items() if count > 1)
    if repeated:
        raise RunsError(
            f"{name}: the column name{'s' if len(repeated) > 1 else ''} "
            f"{', '.join(map(repr, repeated))} appear{'' if len(repeated) > 1 else 's'} more than "
            "once; give every column its own name."
        )
