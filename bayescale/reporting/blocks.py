"""What a section of a report is made of: paragraphs, lists, tables, pictures, terms, a planner.

Blocks hold plain text. The template escapes it; only a picture holds markup, which
`bayescale.reporting.pictures` made itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Block:
    """A part of a section; the template asks for its `kind`."""

    kind: ClassVar[str] = ""


@dataclass(frozen=True)
class Paragraph(Block):
    """A paragraph of text."""

    kind: ClassVar[str] = "paragraph"
    text: str


@dataclass(frozen=True)
class Bullets(Block):
    """A list of sentences, with a word in front that says what they are."""

    kind: ClassVar[str] = "bullets"
    label: str
    items: tuple[str, ...]


@dataclass(frozen=True)
class Command(Block):
    """Lines to be typed, as they are."""

    kind: ClassVar[str] = "command"
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Terms(Block):
    """Words and what they mean."""

    kind: ClassVar[str] = "terms"
    meanings: Mapping[str, str]


@dataclass(frozen=True)
class Table(Block):
    """A table of text, numbers already written.

    Parameters
    ----------
    caption
        What it shows, with units.
    header
        Name of each column.
    rows
        Cells of each row.
    """

    kind: ClassVar[str] = "table"
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, frame: pd.DataFrame, caption: str) -> "Table":
        """From a data frame, its index as first columns, numbers with four significant digits."""
        flat = frame.reset_index()
        cells = flat.itertuples(index=False, name=None)
        rows = tuple(tuple(written(value) for value in row) for row in cells)
        return cls(caption, tuple(str(name) for name in flat.columns), rows)


@dataclass(frozen=True)
class Picture(Block):
    """A drawing.

    Parameters
    ----------
    markup
        An ``svg`` element, or an ``img`` of the page's own bytes: trusted markup.
    alt
        What it shows, for those who do not see it.
    caption
        What stands below it.
    wide
        Whether a narrow window scrolls it, where it would be too small to read.
    """

    kind: ClassVar[str] = "picture"
    markup: str
    alt: str
    caption: str
    wide: bool = False


@dataclass(frozen=True)
class PlannerBlock(Block):
    """The planner with its data (`bayescale.reporting.planner_data`)."""

    kind: ClassVar[str] = "planner"
    data: Mapping[str, Any] = field(repr=False)


def written(value: Any) -> str:
    """A cell of a table: numbers with four significant digits, a dash for what is not known.

    Examples
    --------
    >>> written(1234567.0), written(float("nan")), written(3), written("a")
    ('1.235e+06', '-', '3', 'a')
    """
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.number):
        return str(value)
    if np.isnan(value):
        return "-"
    return f"{value:.4g}"
