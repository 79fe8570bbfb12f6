"""The cells of a table: text to numbers, vectorised, with no cell guessed at."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute

from bayescale.errors import RunsError

pc: Any = pyarrow.compute  # its functions are generated on import, unseen by type checkers

NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_MISSING = ("", "-", "--", "na", "n/a", "nan", "null", "none")
_INFINITE = r"(?i)^[+-]?inf(inity)?$"
_GROUPED = r"^[+-]?\d{1,3}(,\d{3})+(\.\d*)?$"  # 1,000,000
_ONE_GROUP = r"^[+-]?\d{1,3},\d{3}$"  # 1,000: a thousand, or one with a decimal comma


class Numbers:
    """One column of numbers, gathered batch by batch; missing cells become NaN.

    Text is parsed explicitly: the words of `_MISSING` are missing, `inf` is infinite, `1,000,000`
    is a million, and `1,000` is a thousand only in a column where another cell settles it.
    """

    def __init__(self, label: str, where: str) -> None:
        self.label = label
        self.where = where
        self.grouped = 0
        self._settled = False
        self._doubtful: tuple[int, str] | None = None
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
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            array = self._parsed(array)
        elif not (
            pa.types.is_integer(kind)
            or pa.types.is_floating(kind)
            or pa.types.is_decimal(kind)
            or pa.types.is_null(kind)
        ):
            raise RunsError(f"{self.where}: column '{self.label}' holds {kind}, not numbers.")
        numbers = pc.cast(array, pa.float64(), safe=False)
        # a copy, so that Arrow can use the memory of this batch for the next one
        self._parts.append(np.array(numbers.fill_null(np.nan)))
        self._rows += len(array)

    def _parsed(self, text: pa.Array) -> pa.Array:
        try:
            return pc.cast(text, pa.float64())
        except pa.ArrowInvalid:
            text = pc.utf8_trim_whitespace(text)
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
            raise RunsError(
                f"{self.where}: column '{self.label}', row {self._rows + at + 1}: "
                f"{text[at].as_py()[:40]!r} is not a number; write plain numbers with a decimal "
                "point (1.5e9, not 1.5B or 1,5), and leave the cell empty when it is missing."
            )
        self._note_groups(text, grouped)
        text = pc.replace_substring(text, ",", "")
        return pc.cast(pc.if_else(missing, None, text), pa.float64())

    def _note_groups(self, text: pa.Array, grouped: pa.Array) -> None:
        count = pc.sum(grouped).as_py() or 0
        doubtful = pc.match_substring_regex(text, _ONE_GROUP)
        self.grouped += count
        self._settled |= count > (pc.sum(doubtful).as_py() or 0)
        at = pc.index(doubtful, True).as_py()
        if at >= 0 and self._doubtful is None:
            self._doubtful = (self._rows + at + 1, text[at].as_py())

    def values(self) -> np.ndarray:
        """Hand over all cells as one float64 array, once: a long column is not held twice.

        Raises
        ------
        RunsError
            A comma could be a thousands separator or a decimal comma.
        """
        if self._doubtful is not None and not self._settled:
            row, cell = self._doubtful
            raise RunsError(
                f"{self.where}: column '{self.label}', row {row}: the comma in {cell!r} could "
                "separate thousands or decimals; write the number without it."
            )
        parts, self._parts = self._parts, []
        return np.concatenate(parts)


def inferred(chunks: list[pa.Array]) -> pd.Series:
    """Return a column that is not needed: integers or floats where every cell is one, else text."""
    column = pa.chunked_array(chunks)
    if pa.types.is_string(column.type):
        cells = pc.if_else(pc.equal(column, ""), None, column)
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
