"""The cells of a table: text to numbers, vectorised, with no cell guessed at."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute

from bayescale.errors import RunsError
from bayescale.runs.units import LETTERS
from bayescale.runs.vocabulary import counting, figure, shown

pc: Any = pyarrow.compute  # its functions are generated on import, unseen by type checkers

NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_MISSING = ("", "-", "--", "na", "n/a", "nan", "null", "none")
_INFINITE = r"(?i)^[+-]?inf(inity)?$"
_GROUPED = r"^[+-]?\d{1,3}(,\d{3})+(\.\d*)?$"  # 1,000,000
_ONE_GROUP = r"^[+-]?\d{1,3},\d{3}$"  # 1,000: a thousand, or one with a decimal comma
_DECIMAL_COMMA = r"^[+-]?\d*,\d+$"
_LETTERED = {
    power: rf"(?i)^([+-]?(?:\d+\.?\d*|\.\d+))\s*(?:{'|'.join(words)})"
    r"(?:\s*(?:tokens?|params?|parameters?|flops?))?$"
    for power, words in LETTERS.items()
}
_SMALL = {"N": 1e5, "D": 1e5, "C": 1e10}  # below, a number among cells with letters is no count


class Numbers:
    """One column of numbers, gathered batch by batch; missing cells become NaN.

    Text is parsed explicitly: the words of `_MISSING` are missing, `inf` is infinite, `1,000,000`
    is a million, and `1,000` is a thousand only in a column where another cell settles it.

    Parameters
    ----------
    label, where
        What the column and the table are called in messages.
    name
        Which of N, D, C and loss it is.
    letters
        Whether cells such as 70B and 350M are read; they are in N, D and C.
    decimal
        The decimal point or comma, where it was declared: then the other one separates thousands.
    factor
        What a number without a letter counts in.
    stated
        Whether the factor was stated by who reads the table, not by its header.
    """

    def __init__(
        self,
        label: str,
        where: str,
        name: str = "loss",
        *,
        letters: bool = False,
        decimal: str | None = None,
        factor: float | None = None,
        stated: bool = False,
    ) -> None:
        self.label = label
        self.where = where
        self.name = name
        self.grouped = 0
        self.lettered = 0
        self.example = ""
        self._letters = letters and name in _SMALL
        self._decimal = decimal
        self._factor = factor
        self._stated = stated
        self._settled = decimal is not None
        self._doubtful: tuple[int, str] | None = None
        self._plain: list[tuple[float, int]] = []  # the least number without a letter of a batch
        self._rows = 0
        self._parts: list[np.ndarray] = []

    def __len__(self) -> int:
        return self._rows

    def add(self, array: pa.Array) -> None:
        """Append the cells of `array`.

        Raises
        ------
        RunsError
            A cell is no number; the message names its row and column.
        """
        kind = array.type
        if pa.types.is_dictionary(kind):
            array = array.dictionary_decode()
            kind = array.type
        lettered = None
        if pa.types.is_string_view(kind):
            array = pc.cast(array, pa.large_string())
        if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
            array, lettered = self._parsed(array)
        elif not (
            pa.types.is_integer(kind)
            or pa.types.is_floating(kind)
            or pa.types.is_decimal(kind)
            or pa.types.is_null(kind)
        ):
            raise RunsError(f"{self.where}: column '{self.label}' holds {kind}, not numbers.")
        numbers = pc.cast(array, pa.float64(), safe=False)
        # a copy, so that Arrow can use the memory of this batch for the next one
        values = np.array(numbers.fill_null(np.nan))
        plain = np.ones(len(values), dtype=bool) if lettered is None else ~lettered
        if self._letters and np.any(usual := plain & np.isfinite(values)):
            at = int(np.flatnonzero(usual)[np.argmin(values[usual])])
            self._plain.append((float(values[at]), self._rows + at + 1))
        if self._factor is not None:
            values[plain] = _times(values[plain], self._factor)
        self._parts.append(values)
        self._rows += len(array)

    def _parsed(self, text: pa.Array) -> tuple[pa.Array, np.ndarray | None]:
        """Cells as floats, and which of them had letters."""
        given = text
        if self._decimal == ",":
            text = pc.replace_substring(pc.replace_substring(text, ".", "\0"), ",", ".")
            text = pc.replace_substring(text, "\0", ",")
        try:
            return pc.cast(text, pa.float64()), None
        except pa.ArrowInvalid:
            text = pc.utf8_trim_whitespace(text)
        text, lettered = self._without_letters(text)
        missing = pc.is_in(pc.utf8_lower(text), pa.array(_MISSING, text.type))
        grouped = pc.match_substring_regex(text, _GROUPED)
        known = pc.or_(
            pc.or_(missing, grouped),
            pc.or_(
                pc.match_substring_regex(text, NUMBER), pc.match_substring_regex(text, _INFINITE)
            ),
        )
        at = pc.index(known, False).as_py()
        if at >= 0:
            raise RunsError(self._not_a_number(at, given[at].as_py().strip()))
        self._note_groups(given, grouped, text)
        text = pc.replace_substring(text, ",", "")
        return pc.cast(pc.if_else(missing, None, text), pa.float64()), lettered

    def _not_a_number(self, at: int, cell: str) -> str:
        decimal = "comma, as declared" if self._decimal == "," else "point (1.5e9, not 1.5B or 1,5)"
        declare = ""
        if self._decimal is None and re.match(_DECIMAL_COMMA, cell):
            declare = (
                "; if its comma is a decimal comma, declare it with "
                'dialect={"decimal": ","} (command line: --decimal \',\')'
            )
        return (
            f"{self.where}: column '{shown(self.label)}', row {self._rows + at + 1}: {cell[:40]!r} "
            f"is not a number; write plain numbers with a decimal {decimal}, and leave the cell "
            f"empty when it is missing{declare}."
        )

    def _without_letters(self, text: pa.Array) -> tuple[pa.Array, np.ndarray | None]:
        """Cells such as 70B as 70e9, and which they are."""
        if not self._letters:
            return text, None
        found = np.zeros(len(text), dtype=bool)
        for power, pattern in _LETTERED.items():
            here = np.array(pc.match_substring_regex(text, pattern).fill_null(False))
            if here.any():
                if not self.lettered and not found.any():
                    self.example = shown(text[int(np.argmax(here))].as_py()[:40])
                found |= here
                text = pc.replace_substring_regex(text, pattern, rf"\1e{power}")
        self.lettered += int(found.sum())
        return text, found

    def _note_groups(self, given: pa.Array, grouped: pa.Array, text: pa.Array) -> None:
        count = pc.sum(grouped).as_py() or 0
        doubtful = pc.match_substring_regex(text, _ONE_GROUP)
        self.grouped += count
        self._settled |= count > (pc.sum(doubtful).as_py() or 0)
        at = pc.index(doubtful, True).as_py()
        if at >= 0 and self._doubtful is None:
            self._doubtful = (self._rows + at + 1, given[at].as_py())

    def values(self) -> np.ndarray:
        """Hand over all cells as one float64 array, once: a long column is not held twice.

        Raises
        ------
        RunsError
            A comma could be a thousands separator or a decimal comma, or numbers without a letter
            stand among cells with letters and could count in anything.
        """
        self._require_clear_unit()
        if self._doubtful is not None and not self._settled:
            row, cell = self._doubtful
            raise RunsError(
                f"{self.where}: column '{shown(self.label)}', row {row}: the comma in {cell!r} "
                "could separate thousands or decimals; write the number without it, or declare "
                'dialect={"decimal": "."} (command line: --decimal .) if it separates thousands.'
            )
        parts, self._parts = self._parts, []
        return np.concatenate(parts)

    def _require_clear_unit(self) -> None:
        if not self.lettered or self._stated:
            return
        least, row = min(self._plain, default=(np.inf, 0))
        start = f"{self.where}: column '{shown(self.label)}' has cells such as '{self.example}'"
        if self._factor is not None:
            raise RunsError(
                f"{start}, and its header says that it counts in {figure(self._factor)}; say what "
                f"a number without a letter counts in: {counting({self.name: self._factor})}, or "
                "1 in its place."
            )
        if least < _SMALL[self.name]:
            raise RunsError(
                f"{start} and cells without a letter such as {least:g} (row {row}); say what these "
                f"count in: {counting({self.name: 1e9})}, or 1 in its place."
            )


def _times(values: np.ndarray, factor: float) -> np.ndarray:
    """Products, exact where the true one is a whole number: 0.07 million is 70,000."""
    product = values * factor
    whole = np.rint(product)
    near = np.abs(product - whole) <= 4 * np.spacing(np.abs(product))
    return np.where(near, whole, product)


def inferred(chunks: list[pa.Array], decimal: str | None = None) -> pd.Series:
    """Return a column that is not needed: integers or floats where every cell is one, else text."""
    column = pa.chunked_array(chunks)
    if pa.types.is_string(column.type):
        cells = pc.if_else(pc.equal(column, ""), None, column)
        if decimal == "," and not pc.any(pc.match_substring(cells, ".")).as_py():
            cells = pc.replace_substring(cells, ",", ".")
        for kind in (pa.int64(), pa.float64()):
            try:
                return pc.cast(cells, kind).to_pandas()
            except pa.ArrowInvalid:
                continue
    return column.to_pandas()


def as_arrow(column: pd.Series) -> pa.Array:
    """Return a column of a DataFrame as Arrow; mixed Python objects as their text."""
    try:
        array = pa.array(column, from_pandas=True)
    except (pa.ArrowException, OverflowError):
        array = pa.array(column.map(str, na_action="ignore"), pa.string(), from_pandas=True)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
