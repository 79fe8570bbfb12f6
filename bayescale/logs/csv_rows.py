"""Rows of a CSV file of logs: strict, and what is damaged is counted and named."""

import csv
from collections.abc import Iterator
from pathlib import Path

from bayescale.errors import LimitError, RunsError

HEAD = 1 << 20
"""Characters of a header at most."""


def header(path: Path) -> list[str]:
    """The names of the columns; none where the file is not CSV text.

    Examples
    --------
    >>> header(Path("/no/such.csv"))
    []
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            line = file.readline(HEAD)
        return next(csv.reader([line], strict=True), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return []


class Rows:
    """The rows of a file, one after the other.

    Parameters
    ----------
    path
        The file.
    breaks
        Whether a cell may hold a line break, as free text does; a log of numbers has none, and
        one that has is a stray quote that swallowed rows.

    Attributes
    ----------
    header
        Names of the columns.
    notes
        What was lost, once all rows were read.
    """

    def __init__(self, path: Path, *, breaks: bool = False) -> None:
        self.path, self.breaks = path, breaks
        self.header = header(path)
        self.notes: list[str] = []
        twice = sorted({name for name in self.header if self.header.count(name) > 1})
        if twice:
            raise RunsError(
                f"{path}: the column name {twice[0]!r} appears more than once; give every column "
                "its own name."
            )

    def __iter__(self) -> Iterator[dict[str, str]]:
        """The cells of each row by the name of their column.

        Raises
        ------
        RunsError
            The file is not UTF-8 text, or a quote is not closed.
        LimitError
            A cell is too long.
        """
        bad: list[int] = []
        line = 0
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.reader(file, strict=True)
                next(reader, None)
                for cells in reader:
                    line = reader.line_num
                    if not self.breaks and any("\n" in cell for cell in cells):
                        raise RunsError(
                            f"{self.path}: the row that ends on line {line} has a line break in a "
                            "quoted cell, so a stray quote swallowed rows; remove the quote."
                        )
                    if len(cells) == len(self.header):
                        yield dict(zip(self.header, cells, strict=True))
                    elif cells:
                        bad.append(line)
        except UnicodeDecodeError:
            raise RunsError(
                f"{self.path}: the text is not UTF-8 after line {line}; save it as UTF-8."
            ) from None
        except csv.Error as error:
            if "field larger" in str(error):
                raise LimitError(
                    f"{self.path}: a cell after line {line} is longer than "
                    f"{csv.field_size_limit()} characters; look for an unclosed quote."
                ) from None
            raise RunsError(
                f"{self.path}: the row after line {line} is not valid CSV ({error}); repair or "
                "remove it."
            ) from None
        except OSError as error:
            raise RunsError(f"'{self.path}' cannot be read: {error.strerror or error}.") from None
        self.notes += lost(self.path, bad, line)


def lost(path: Path | str, bad: list[int], last: int) -> list[str]:
    """Sentences on lines that could not be read.

    Parameters
    ----------
    path
        The file.
    bad
        Numbers of the lines.
    last
        Number of the last line, which may be half written.

    Examples
    --------
    >>> lost("a.csv", [3, 9], 9)[0]
    'a.csv: the last line (9) is half written and was left out.'
    """
    found = []
    if bad and bad[-1] == last:
        found.append(f"{path}: the last line ({last}) is half written and was left out.")
        bad = bad[:-1]
    if bad:
        shown = ", ".join(map(str, bad[:5])) + (", ..." if len(bad) > 5 else "")
        found.append(
            f"{path}: {len(bad)} damaged line{'s' if len(bad) > 1 else ''} (line {shown}) "
            f"{'were' if len(bad) > 1 else 'was'} left out."
        )
    return found
