"""Values that loggers write as JSON text: parsed strictly, and flattened by dots."""

import json
import re
from collections.abc import Iterator
from typing import Any

_DEEPEST = 32
_LONGEST = 16 << 20
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class JsonError(ValueError):
    """The text is not JSON."""


def parse(text: str | bytes) -> Any:
    """The value of a JSON text; ``NaN`` and ``Infinity`` are numbers, as loggers write them.

    Raises
    ------
    JsonError
        The text is not JSON, or is too long or nested too deep to be read.
    """
    if len(text) > _LONGEST:
        raise JsonError(f"longer than {_LONGEST} characters")
    try:
        value = json.loads(text)
        if _SURROGATE.search(text if isinstance(text, str) else text.decode("utf-8")):
            json.dumps(value, ensure_ascii=False).encode("utf-8")  # half a character is no text
    except (ValueError, RecursionError) as error:
        raise JsonError(_plain(error)) from None
    return value


def _plain(error: Exception) -> str:
    """The complaint without places, which differ from one record to the next."""
    if isinstance(error, RecursionError):
        return "nested too deep"
    if isinstance(error, UnicodeError):
        return "not UTF-8"
    return str(error).partition(":")[0]


def flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Numbers, text, True and False of a value, under names joined by dots; null is left out.

    Lists, and objects nested deeper than 32 levels, are kept as JSON text.

    Examples
    --------
    >>> dict(flat({"eval": {"loss": 1.5, "sizes": [1, 2]}, "none": None}))
    {'eval.loss': 1.5, 'eval.sizes': '[1, 2]'}
    """
    waiting = [(name, value, 0)]
    while waiting:
        name, value, depth = waiting.pop()
        if isinstance(value, dict) and depth < _DEEPEST:
            inner = [(f"{name}.{key}" if name else key, one) for key, one in value.items()]
            waiting += [(key, one, depth + 1) for key, one in reversed(inner)]
        elif isinstance(value, list | dict):
            try:
                yield name, json.dumps(value, ensure_ascii=False)
            except RecursionError:
                raise JsonError("nested too deep") from None
        elif value is not None:
            yield name, value


NOT_FINITE = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
"""Numbers that JSON lacks, by the text that loggers write in their place."""


_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,400})(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def typed(text: str) -> float | int | bool | str:
    """The number, True or False that a text spells; any other text as it is.

    Examples
    --------
    >>> [typed(text) for text in ("4", "1e-3", "True", "007", "adam")]
    [4, 0.001, True, '007', 'adam']
    """
    if text in ("True", "False"):
        return text == "True"
    match = _NUMBER.fullmatch(text)
    if match is None:
        return text
    return int(text) if match[1] is match[2] is None else float(text)
