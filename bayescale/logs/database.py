"""Databases of SQLite that loggers write: opened so that nothing is changed or run, and checked.

A checksum is not kept of every page, so that a number that changed on the disk without harm to the
structure of its page cannot be noticed.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bayescale.errors import LimitError, RunsError
from bayescale.logs import write_ahead_log

MARK = b"SQLite format 3\0"
"""First bytes of a database."""

_WAL = "-wal"
_SIDECARS = (_WAL, "-journal")  # transactions that are not yet, or not wholly, in the database
_WRITE_AHEAD = 2
_MOST_COPIED = 4 << 30
_MOST_CELL = 64 << 20
_MOST_STEPS = 5_000_000_000  # of SQLite's machine, about a minute, where a database is made to hang
_STEPS_BETWEEN = 1_000_000
_WAIT = 2.0  # seconds, for a logger that writes


def is_database(path: Path) -> bool:
    """Whether a file begins as a database of SQLite does."""
    try:
        with path.open("rb") as file:
            return file.read(len(MARK)) == MARK
    except OSError:
        return False


class Database:
    """A database that is open for reading; text comes as bytes, which `text` decodes.

    `notes` are sentences: what of it was lost.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, notes: tuple[str, ...] = ()
    ) -> None:
        self._path, self._connection, self.notes = path, connection, notes

    def rows(self, query: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """Rows of a query, one after the other.

        Raises
        ------
        RunsError
            The database is damaged.
        LimitError
            A cell is too large, or the query does not end.
        """
        try:
            # Not "yield from", which would close the cursor after its database.
            for row in self._connection.execute(query, values):  # noqa: UP028
                yield row
        except (sqlite3.Error, UnicodeError) as error:
            raise _explained(self._path, error) from None

    def columns(self, table: str) -> list[str]:
        """Columns of a table as it was made; none if there is no such table."""
        made = self.rows(
            "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?",
            table,
        )
        if not any(
            bytes(sql or b"").lstrip().upper().startswith(b"CREATE TABLE") for (sql,) in made
        ):
            return []
        return [
            self.text(row[0]) for row in self.rows("SELECT name FROM pragma_table_info(?)", table)
        ]

    def text(self, cell: Any) -> str:
        """The text of a cell, which may hold it as bytes.

        Raises
        ------
        RunsError
            The cell is no text, or is not UTF-8.
        """
        try:
            return str(cell, "utf-8") if isinstance(cell, bytes) else str(cell)
        except UnicodeDecodeError:
            raise RunsError(
                f"{self._path}: a text of the database is not UTF-8 (damaged); nothing was read "
                "from it."
            ) from None


@contextmanager
def opened(path: Path, *, check: bool = True) -> Iterator[Database]:
    """A database, open for reading.

    Where transactions wait beside it (a run goes on, or was killed), a copy is read that has them;
    the files themselves are never written to. `check` has SQLite look over every page first.

    Raises
    ------
    RunsError
        The file is no database, or is damaged.
    LimitError
        The waiting transactions are too large to copy.
    """
    with tempfile.TemporaryDirectory(prefix="bayescale-") as scratch:
        connection = None
        try:
            with path.open("rb") as file:
                head = file.read(20)
            if head[: len(MARK)] != MARK:
                raise RunsError(f"{path}: not a database of SQLite; nothing was read from it.")
            beside = [path.with_name(path.name + end) for end in _SIDECARS]
            waiting = [file for file in beside if file.is_file() and file.stat().st_size]
            notes = tuple(
                f"{log}: the write-ahead log {lost}; the last transactions are lost."
                for log in waiting
                if log.name.endswith(_WAL) and (lost := write_ahead_log.damage(log))
            )
            if waiting:
                target = _copied(path, waiting, Path(scratch))
                mode = "mode=rw"
            else:
                target = path.absolute()
                mode = "immutable=1" if _WRITE_AHEAD in head[18:20] else "mode=ro"
            connection = sqlite3.connect(
                f"file:{quote(str(target))}?{mode}", uri=True, timeout=_WAIT
            )
            _guard(connection)
            if check:
                _check(connection)
            yield Database(path, connection, notes)
        except (sqlite3.Error, UnicodeError) as error:
            raise _explained(path, error) from None
        except OSError as error:
            raise RunsError(f"{path}: cannot be read ({error.strerror}).") from None
        finally:
            if connection is not None:
                connection.close()


def _copied(path: Path, waiting: list[Path], scratch: Path) -> Path:
    size = sum(file.stat().st_size for file in (path, *waiting))
    if size > _MOST_COPIED:
        raise LimitError(
            f"{path}: {size} bytes with the transactions that wait beside it; at most "
            f"{_MOST_COPIED} are copied. Stop the logger, run PRAGMA wal_checkpoint in sqlite3, "
            "and read it again."
        )
    for file in (path, *waiting):
        shutil.copyfile(file, scratch / file.name)
    return scratch / path.name


def _guard(connection: sqlite3.Connection) -> None:
    """Let the database run nothing, and nothing without end."""
    connection.text_factory = bytes
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_CELL)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    steps = 0

    def count() -> bool:
        nonlocal steps
        steps += _STEPS_BETWEEN
        return steps > _MOST_STEPS

    connection.set_progress_handler(count, _STEPS_BETWEEN)
    for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0"):
        connection.execute(f"PRAGMA {pragma}")


def _check(connection: sqlite3.Connection) -> None:
    (told,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if told != b"ok":
        raise sqlite3.DatabaseError(told.decode("utf-8", "replace"))


def _explained(path: Path, error: Exception) -> RunsError | LimitError:
    code = getattr(error, "sqlite_errorcode", 0)
    if code == sqlite3.SQLITE_INTERRUPT or "interrupted" in str(error):
        return LimitError(f"{path}: a query of the database does not end; not read.")
    if code == sqlite3.SQLITE_TOOBIG or "too big" in str(error):
        return LimitError(
            f"{path}: a cell of the database is larger than {_MOST_CELL} bytes; not read."
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return RunsError(f"{path}: the database is locked by its logger; read it again later.")
    why = " ".join(str(error).split())[:100]
    return RunsError(
        f"{path}: a damaged database of SQLite ({why}); nothing was read from it. What is whole "
        f"can be had with: sqlite3 {path.name} .recover | sqlite3 recovered.db"
    )
