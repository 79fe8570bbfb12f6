"""Text whose cells are separated by one character, strictly: ragged or damaged text is refused."""

import copy
import csv
import io
import re
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.csv

from bayescale.errors import LimitError, RunsError
from bayescale.runs.cells import NUMBER
from bayescale.runs.encoding import decoded, not_utf8
from bayescale.runs.quotes import Quotes, line_of, misplaced, swallowing
from bayescale.runs.reader import MOST_ROWS, AbstractReader, Source, check_names
from bayescale.runs.unpacking import native

_BLOCK = 1 << 22  # bytes of text parsed at once, and so the longest row
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


class AbstractDelimited(AbstractReader):
    """Text with one separator; every cell stays text."""

    streams = True
    separator: str

    def separated_by(self, separator: str) -> "AbstractDelimited":
        """Return the same format with another separator."""
        other = copy.copy(self)
        other.separator = separator
        return other

    def open(self, file: io.BufferedIOBase, name: str, max_rows: int = MOST_ROWS) -> Source:
        """Open a file without reading its rows yet; every cell stays text."""
        head = file.read(_BLOCK // 16)
        file.seek(0)
        complete = len(head) < _BLOCK // 16
        columns, skipped = _header(decoded(head, name), name, self.separator, complete=complete)
        batches = _batches(file, columns, skipped, name, self.separator)
        return Source(name, columns, False, batches)


def _batches(
    file: io.BufferedIOBase, columns: list[str], skipped: int, name: str, separator: str
) -> Iterator[pa.RecordBatch]:
    # Once through the whole text first: a packed file that is damaged or without end is refused
    # before its rows take memory.
    quotes = Quotes.of(file, separator)
    ragged: list[pyarrow.csv.InvalidRow] = []

    def on_invalid(row: pyarrow.csv.InvalidRow) -> str:
        ragged.append(row)
        return "error"

    keys = [str(i) for i in range(len(columns))]
    seen = 0
    try:
        reader = pyarrow.csv.open_csv(
            native(file),
            pyarrow.csv.ReadOptions(
                use_threads=False, block_size=_BLOCK, column_names=keys, skip_rows=skipped
            ),
            pyarrow.csv.ParseOptions(
                delimiter=separator, newlines_in_values=True, invalid_row_handler=on_invalid
            ),
            pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(keys, pa.string()), strings_can_be_null=False
            ),
        )
        for batch in reader:
            if quotes.count and (at := swallowing(batch, separator)):
                raise _stray(file, seen + at[0], columns[at[1]], name, separator)
            seen += len(batch)
            yield batch
        doubtful = quotes.doubtful or quotes.count % 2
        if doubtful and (line := misplaced(file, separator)):
            raise RunsError(
                f"{name}: line {line}: a quote opens a cell and is not closed at its end; remove "
                "the quote, or close it and write a quote within it twice."
            )
    except pa.ArrowInvalid as error:
        raise _explained(str(error), ragged, columns, skipped, name) from None


def _stray(file: io.BufferedIOBase, row: int, column: str, name: str, separator: str) -> RunsError:
    line = line_of(file, row, separator)
    where = f"row {row + 1}" + (f" (line {line} of the file)" if line else "")
    return RunsError(
        f"{name}: {where}, column '{column}': a quote opens a cell that swallows the rows after "
        "it; remove the quote, or close it on its line."
    )


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
        cure = "a field that holds the separator must be quoted"
        if "\n" in row.text.strip():
            cure = "a quote in it is not closed on its line"
        elif row.text.count('"') % 2:
            cure = "a quote in it has no partner"
        return RunsError(
            f"{name}: {where} has {row.actual_columns} fields but the header names "
            f"{row.expected_columns} columns: {row.text[:80]!r}; fix the row ({cure})."
        )
    if "UTF8" in message:
        found = re.search(r"column #(\d+): Row #(\d+)", message)
        where = (
            f", row {int(found[2]) - skipped}, column '{columns[int(found[1])]}'" if found else ""
        )
        return RunsError(not_utf8(name + where))
    if "straddl" in message:
        return LimitError(
            f"{name}: a row is longer than {_BLOCK >> 20} MB, which no table of runs needs; look "
            "for an unclosed quote."
        )
    return RunsError(f"{name}: not a text that can be read strictly ({message}).")


def _header(text: str, name: str, separator: str, *, complete: bool) -> tuple[list[str], int]:
    """Return the column names, and how many lines of the file they and blank lines take."""
    if not text.strip():
        raise RunsError(f"{name}: the file is empty; give a header and at least one row.")
    if not complete and "\n" not in text and "\r" not in text:
        raise LimitError(f"{name}: the first line is longer than {len(text)} characters; not read.")
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        columns = [field.strip() for field in next(row for row in reader if row)]
    except csv.Error as error:
        raise RunsError(
            f"{name}: the header is not valid text with separators ({error})."
        ) from None
    _check_separator(text, text.splitlines()[reader.line_num - 1], name, separator)
    check_names(columns, name)
    numeric = [column for column in columns if re.match(NUMBER, column)]
    if 2 * len(numeric) > len(columns):
        raise RunsError(
            f"{name}: the header is missing: the first line holds numbers ({', '.join(numeric[:4])}"
            f"); name the columns on the first line, such as {separator.join(('N', 'D', 'loss'))}."
        )
    return columns, reader.line_num


def _check_separator(text: str, header: str, name: str, separator: str) -> None:
    """Refuse a text whose header has another separator more often than its own."""
    for other, called in _SEPARATORS.items():
        if header.count(other) <= header.count(separator):
            continue
        comma = other != "," and re.search(r"\d,\d", text) is not None
        shown = "tab" if other == "\t" else other
        decimal, option = (', "decimal": ","', " --decimal ','") if comma else ("", "")
        raise RunsError(
            f"{name}: the columns are separated by {called}, not "
            f"{_SEPARATORS.get(separator, repr(separator))}; declare it with "
            f'dialect={{"separator": "{shown}"{decimal}}} '
            f"(command line: --separator '{shown}'{option})."
        )
