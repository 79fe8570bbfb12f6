"""One cell of a log's text: a number, True or False, or text."""

import re

from bayescale.logs.records import number
from bayescale.runs.cells import NUMBER


def value(text: str) -> float | int | bool | str | None:
    """What a cell holds; None where it is empty.

    Examples
    --------
    >>> value("3"), value("1e-3"), value("NaN"), value("true"), value("adam"), value("")
    (3, 0.001, nan, True, 'adam', None)
    """
    text = text.strip()
    if not text:
        return None
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if len(text) < 400 and re.match(NUMBER, text):
        whole = text.lstrip("+-").isdigit()
        return int(text) if whole else float(text)
    word = number(text)
    return text if word is None else word


def measured(text: str) -> float | None:
    """The number that a cell holds; None where it is empty or text."""
    found = value(text)
    return None if isinstance(found, bool) else number(found)
