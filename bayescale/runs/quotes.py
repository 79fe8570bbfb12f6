"""Quotes of a text with separators that were never meant as quotes, or are not closed.

A quote within a cell in quotes, one that is followed by more text, and one that the end of the file
leaves open are found by reading the text again, strictly; that is slow, and done only where a quote
stands at neither end of a cell or their number is odd.

Rows that a stray quote swallowed are found by the shape of the cell that holds them.

A cell in quotes may hold line breaks. A quote that was never meant as one opens such a cell too,
and the rows up to the next quote, or to the end of the file, become its text without an error.
Where a stray quote in column k is closed in a later line, the row keeps its number of cells only if
the closing one stands in column k of that line. So the text of the cell, cut at its line breaks,
is the rest of a row, then whole rows, then the start of one: the right number of separators in
each, and numbers where the row itself has numbers.
"""

import csv
import io
import re
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute

from bayescale.runs.cells import NUMBER, pc

_BLOCK = 1 << 22


def swallowing(batch: pa.RecordBatch, separator: str) -> tuple[int, int] | None:
    """Return the row (from 0) and column of the first cell that swallowed rows, if there is one."""
    found = []
    for column in range(batch.num_columns):
        cells = batch.column(column)
        # one row and the start of another hold the separators of a row between them
        many = pc.greater_equal(pc.count_substring(cells, separator), batch.num_columns - 1)
        broken = pc.and_(pc.match_substring_regex(cells, "[\r\n]"), many)
        if pc.any(broken).as_py():
            rows = pc.indices_nonzero(broken).to_pylist()
            found += [(row, column) for row in rows if _swallowed(batch, row, column, separator)]
    return min(found, default=None)


def _swallowed(batch: pa.RecordBatch, row: int, column: int, separator: str) -> bool:
    cells = [batch.column(i)[row].as_py() for i in range(batch.num_columns)]
    text = re.sub(r"\r\n?", "\n", cells[column])
    unclosed = text.endswith("\n")  # only the end of the file ended the cell
    first, *whole = (line.split(separator) for line in text.split("\n") if line.strip())
    rows = [[*cells[:column], *first]]
    if not unclosed:
        *whole, last = whole or [[]]
        if len(last) != column + 1:
            return False
        rows.append([*last, *cells[column + 1 :]])
    rows += whole
    numeric = [i for i, cell in enumerate(cells) if i != column and _is_number(cell)]
    return len(rows) > 1 and all(
        len(one) == len(cells) and all(_is_number(one[i] or "0") for i in numeric) for one in rows
    )


def _is_number(cell: str) -> bool:
    return re.match(NUMBER, cell.strip().strip('"').replace(",", ".")) is not None


@dataclass(frozen=True)
class Quotes:
    """What quotes a text holds.

    Parameters
    ----------
    count
        How many: where there is none, no cell holds a line break.
    doubtful
        Whether one stands at neither end of a cell.
    """

    count: int
    doubtful: bool

    @classmethod
    def of(cls, file: io.BufferedIOBase, separator: str) -> "Quotes":
        """Count those of a whole file, which is left at its start."""
        end = re.escape(separator.encode()) + rb"\r\n"
        inside = re.compile(rb'[^%b]"(?=[^%b])' % (end, end))
        file.seek(0)
        quotes, doubtful, before = 0, False, b""
        while block := file.read(_BLOCK):
            count = block.count(b'"')
            if count or before.endswith(b'"'):
                quotes += count
                doubtful = doubtful or bool(inside.search(before + block))
            before = block[-2:]
        file.seek(0)
        return cls(quotes, doubtful)


def misplaced(file: io.BufferedIOBase, separator: str) -> int | None:
    """Return the line, from 1, of the first quote that breaks the rules, by reading again."""
    file.seek(0)
    text = io.TextIOWrapper(file, "utf-8-sig", newline="")  # type: ignore[arg-type]
    line = 1
    try:
        reader = csv.reader(text, delimiter=separator, strict=True)
        for _ in reader:
            line = reader.line_num + 1
    except csv.Error as error:
        return None if "limit" in str(error) else line
    except UnicodeDecodeError:
        return None
    finally:
        text.detach()
    return None


def line_of(file: io.BufferedIOBase, row: int, separator: str) -> int | None:
    """Return the line, from 1, on which a data row (from 0) of a file starts, by reading again."""
    file.seek(0)
    text = io.TextIOWrapper(file, "utf-8-sig", newline="")  # type: ignore[arg-type]
    try:
        reader = csv.reader(text, delimiter=separator)
        seen, line = -1, 0
        for cells in reader:
            seen += bool(cells)
            if seen == row + 1:
                return line + 1
            line = reader.line_num
    except (csv.Error, UnicodeDecodeError, OSError):
        return None
    finally:
        text.detach()
    return None
