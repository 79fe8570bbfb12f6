"""CSV, strictly: cells as text, and a ragged or damaged file refused."""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from typing import cast

import pyarrow as pa
import pyarrow.csv

from bayescale.errors import LimitError, RunsError
from bayescale.runs.cells import NUMBER
from bayescale.runs.reader import AbstractReader, Source, check_names, damaged

GZIP = b"\x1f\x8b"

_BLOCK = 1 << 22  # bytes of text parsed at once, and so the longest row
_BOMB_BYTES, _BOMB_RATIO = 2 << 30, 200


class Reader(AbstractReader):
    """Text with commas, packed by gzip or not."""

    title = "CSV (also .gz)"
    suffixes = (".csv", ".gz")
    marks = (GZIP,)
    streams = True

    def open(self, file: io.BufferedIOBase, name: str) -> Source:
        """Open a file without reading its rows yet; every cell stays text."""
        head = file.read(len(GZIP))
        file.seek(0)
        if head != GZIP and not name.lower().endswith(".gz"):
            return _opened(file, name)
        return _opened(cast(io.BufferedIOBase, gzip.GzipFile(fileobj=file)), name, file)


def _opened(
    stream: io.BufferedIOBase, name: str, packed: io.BufferedIOBase | None = None
) -> Source:
    try:
        head = stream.read(_BLOCK // 16)
        stream.seek(0)
    except (EOFError, OSError, zlib.error):
        raise RunsError(damaged(name, "gzip")) from None
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
            raise RunsError(damaged(name, "gzip")) from None
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
