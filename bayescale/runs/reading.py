"""Strict reading of files: cells of a CSV as text, and a ragged or damaged file refused.

Rows are counted as data rows from 1, the header and blank lines not counted. Nothing that is read
is ever evaluated or unpickled.
"""

import contextlib
import csv
import gzip
import io
import os
import re
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from bayescale.errors import LimitError, RunsError
from bayescale.runs.cells import NUMBER

_EXECUTABLE = (".pkl", ".pickle", ".joblib", ".npy", ".npz", ".pt", ".pth")
_OTHER_FORMATS = (
    ".xlsx",
    ".xls",
    ".ods",
    ".json",
    ".jsonl",
    ".zip",
    ".xz",
    ".bz2",
    ".feather",
    ".arrow",
    ".h5",
)

_BLOCK = 1 << 22  # bytes of text parsed at once, and so the longest row
_MOST_COLUMNS = 10_000
_BOMB_BYTES, _BOMB_RATIO = 2 << 30, 200


@runtime_checkable
class Readable(Protocol):
    """An open file or stream: anything with a `read` that returns bytes or text."""

    def read(self, size: int = -1, /) -> bytes | str:
        """Return at most `size` bytes or characters, all of them by default."""
        ...


@dataclass(frozen=True)
class Source:
    """An opened file: its name in messages, its column names, its rows in batches.

    `typed` says that the file gives each column its type; otherwise every cell is text.
    """

    name: str
    columns: list[str]
    typed: bool
    batches: Iterator[pa.RecordBatch]


def open_source(source: str | os.PathLike | Readable, stack: contextlib.ExitStack) -> Source:
    """Open a CSV (also `.gz`, `-` or a stream) or Parquet file without reading its rows yet.

    What is opened is closed with `stack`.

    Raises
    ------
    RunsError
        The file is missing, damaged, or not in a form that can be read without guessing.
    LimitError
        Opening the file could run code or exhaust memory.
    """
    if isinstance(source, str) and source == "-":
        source = cast(Readable, getattr(sys.stdin, "buffer", sys.stdin))
        return _open_csv(_buffered(source, "stdin"), "stdin")
    if not isinstance(source, str | os.PathLike):
        name = str(getattr(source, "name", "stream"))
        return _open_csv(_buffered(source, name), Path(name).name)
    path = Path(source)
    suffix = path.suffix.lower()
    unsafe = [ending for ending in path.suffixes if ending.lower() in _EXECUTABLE]
    if unsafe:
        raise LimitError(
            f"{path.name}: files ending in {unsafe[0]} can run code when opened, so they are "
            "refused; save the table as CSV or Parquet."
        )
    if suffix in _OTHER_FORMATS:
        raise RunsError(
            f"{path.name}: files ending in {suffix} are not read; save the table as CSV, CSV.gz or "
            "Parquet, or pass a DataFrame."
        )
    try:
        file = stack.enter_context(path.open("rb"))
    except FileNotFoundError:
        raise RunsError(f"there is no file '{path}'; check the path (or '-' for stdin).") from None
    except IsADirectoryError:
        raise RunsError(f"'{path}' is a directory; give one CSV or Parquet file.") from None
    except OSError as error:
        raise RunsError(f"'{path}' cannot be read: {error.strerror or error}.") from None
    if suffix in (".parquet", ".pq") or file.peek(4)[:4] == b"PAR1":
        return _open_parquet(file, path.name)
    if suffix == ".gz" or file.peek(2)[:2] == b"\x1f\x8b":
        return _open_csv(stack.enter_context(gzip.GzipFile(fileobj=file)), path.name, file)
    return _open_csv(file, path.name)


def _buffered(stream: Readable, name: str) -> io.BufferedIOBase:
    content = stream.read()
    if isinstance(content, str):
        content = content.encode()
    if content[:4] == b"PAR1":
        raise RunsError(f"{name}: a stream must be CSV; give Parquet as a file.")
    return io.BytesIO(content)


def _open_parquet(file: io.BufferedIOBase, name: str) -> Source:
    try:
        parquet = pyarrow.parquet.ParquetFile(file)
        columns = list(parquet.schema_arrow.names)
    except (pa.ArrowException, OSError):
        raise RunsError(_damaged(name, "Parquet")) from None
    check_names(columns, name)

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            yield from parquet.iter_batches()
        except (pa.ArrowException, OSError):
            raise RunsError(_damaged(name, "Parquet")) from None

    return Source(name, columns, True, batches())


def _open_csv(
    stream: io.BufferedIOBase, name: str, packed: io.BufferedIOBase | None = None
) -> Source:
    try:
        head = stream.read(_BLOCK // 16)
        stream.seek(0)
    except (EOFError, OSError, zlib.error):
        raise RunsError(_damaged(name, "gzip")) from None
    columns, skipped = _header(_decode(head, name), name, complete=len(head) < _BLOCK // 16)
    ragged: list[pyarrow.csv.InvalidRow] = []

    def on_invalid(row: pyarrow.csv.InvalidRow) -> str:
        ragged.append(row)
        return "error"

    def batches() -> Iterator[pa.RecordBatch]:
        keys = [str(i) for i in range(len(columns))]
        try:
            reader = pyarrow.csv.open_csv(
                stream,
                pyarrow.csv.ReadOptions(
                    use_threads=False, block_size=_BLOCK, column_names=keys, skip_rows=skipped
                ),
                pyarrow.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=on_invalid),
                pyarrow.csv.ConvertOptions(
                    column_types=dict.fromkeys(keys, pa.string()), strings_can_be_null=False
                ),
            )
            for batch in reader:
                if packed is not None:
                    _check_bomb(stream.tell(), packed.tell(), name)
                yield batch
        except (EOFError, gzip.BadGzipFile, zlib.error):
            raise RunsError(_damaged(name, "gzip")) from None
        except pa.ArrowInvalid as error:
            raise _explained(str(error), ragged, columns, skipped, name) from None

    return Source(name, columns, False, batches())


def _explained(
    message: str,
    ragged: list[pyarrow.csv.InvalidRow],
    columns: list[str],
    skipped: int,
    name: str,
) -> RunsError | LimitError:
    if ragged:
        row = ragged[0]
        where = "a row" if row.number is None else f"row {row.number - skipped}"
        return RunsError(
            f"{name}: {where} has {row.actual_columns} fields but the header names "
            f"{row.expected_columns} columns: {row.text[:80]!r}; fix the row (a field that holds a "
            "comma must be quoted)."
        )
    if "UTF8" in message:
        found = re.search(r"column #(\d+): Row #(\d+)", message)
        where = (
            f", row {int(found[2]) - skipped}, column '{columns[int(found[1])]}'" if found else ""
        )
        return RunsError(_not_utf8(name + where))
    if "straddl" in message:
        return LimitError(
            f"{name}: a row is longer than {_BLOCK >> 20} MB, which no table of runs needs; look "
            "for an unclosed quote."
        )
    return RunsError(f"{name}: not a CSV file that can be read strictly ({message}).")


def _check_bomb(unpacked: int, packed: int, name: str) -> None:
    if unpacked > _BOMB_BYTES and unpacked > _BOMB_RATIO * packed:
        raise LimitError(
            f"{name}: unpacks to more than {_BOMB_RATIO} times its size and {_BOMB_BYTES >> 30} "
            "GB, so it is refused; unpack it yourself if you trust it."
        )


def _damaged(name: str, kind: str) -> str:
    return f"{name}: not a complete {kind} file (damaged or cut short); nothing was read from it."


def _not_utf8(name: str) -> str:
    return (
        f"{name}: the text is not UTF-8 (probably Latin-1 or Windows-1252); "
        "save the file with UTF-8 encoding."
    )


def _decode(head: bytes, name: str) -> str:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise RunsError(f"{name}: the text is UTF-16; save the file with UTF-8 encoding.")
    if b"\x00" in head:
        raise RunsError(
            f"{name}: holds zero bytes, so it is UTF-16 or not text; save the table as UTF-8 CSV."
        )
    try:
        return head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start > len(head) - 4 and error.reason == "unexpected end of data":
            return head[: error.start].decode("utf-8-sig")
        raise RunsError(_not_utf8(name)) from None


def _header(text: str, name: str, *, complete: bool) -> tuple[list[str], int]:
    """Return the column names, and how many lines of the file they and blank lines take."""
    if not text.strip():
        raise RunsError(f"{name}: the file is empty; give a header and at least one row.")
    if not complete and "\n" not in text and "\r" not in text:
        raise LimitError(f"{name}: the first line is longer than {len(text)} characters; not read.")
    try:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        columns = [field.strip() for field in next(row for row in reader if row)]
    except csv.Error as error:
        raise RunsError(f"{name}: the header is not valid CSV ({error}).") from None
    line = text.splitlines()[reader.line_num - 1]
    for separator, called in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if line.count(separator) > line.count(","):
            decimal = ', decimal=","' if re.search(r"\d,\d", text) else ""
            raise RunsError(
                f"{name}: the columns are separated by {called}, not commas; save it with commas "
                "and decimal points, or pass the DataFrame "
                f"pandas.read_csv({name!r}, sep={separator!r}{decimal})."
            )
    check_names(columns, name)
    numeric = [column for column in columns if re.match(NUMBER, column)]
    if 2 * len(numeric) > len(columns):
        raise RunsError(
            f"{name}: the header is missing: the first line holds numbers ({', '.join(numeric[:4])}"
            "); name the columns on the first line, such as N,D,loss."
        )
    return columns, reader.line_num


def check_names(columns: list[str], name: str) -> None:
    """Refuse a table whose column names repeat, or are too many to be a table of runs."""
    if len(columns) > _MOST_COLUMNS:
        raise LimitError(
            f"{name}: has {len(columns)} columns; at most {_MOST_COLUMNS} are read, so keep those "
            "that describe the runs."
        )
    repeated = sorted({column for column in columns if columns.count(column) > 1})
    if repeated:
        raise RunsError(
            f"{name}: the column name{'s' if len(repeated) > 1 else ''} "
            f"{', '.join(map(repr, repeated))} appear{'' if len(repeated) > 1 else 's'} more than "
            "once; give every column its own name."
        )
