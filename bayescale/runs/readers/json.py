"""JSON: a list of records, columns by name, or lines that are a record each."""

import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from bayescale.errors import LimitError, RunsError
from bayescale.runs.encoding import decoded
from bayescale.runs.reader import (
    MOST_ROWS,
    AbstractReader,
    Source,
    check_names,
    too_many_rows,
)
from bayescale.runs.records import from_columns, from_records

_MOST_BYTES = 1 << 30
_BLANK = re.compile(r"[ \t\n\r]*")
_FORMS = (
    'give a list of records [{"N": 1e9, "loss": 2.9}, ...], columns {"N": [...], "loss": [...]}, '
    "or a record a line"
)


class Reader(AbstractReader):
    """Records, columns, or records line by line; nested names are joined by points."""

    title = "JSON (records, columns or lines)"
    suffixes = (".json", ".jsonl", ".ndjson")
    marks = (b"{", b"[")
    streams = True

    def open(self, file: io.BufferedIOBase, name: str, max_rows: int = MOST_ROWS) -> Source:
        """Read a file; of lines, the last one may be cut short, which a notice says."""
        content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise LimitError(
                f"{name}: is larger than {_MOST_BYTES >> 30} GB, too large for a table in JSON; "
                "save it as CSV or Parquet."
            )
        text = decoded(content, name, complete=True)
        if not text.strip():
            raise RunsError(f"{name}: the file is empty; {_FORMS}.")
        notices: list[str] = []
        try:
            if text.lstrip()[0] == "[":  # records one by one, so that too many are noticed early
                source = from_records(_listed(text, name), name, max_rows)
            else:
                source = _table(_parsed(text, name), name)
        except json.JSONDecodeError as error:
            if text.count("\n") >= 2 * max_rows:  # before each of them is made a line
                raise too_many_rows(name, max_rows) from None
            lines = [(i, one) for i, one in enumerate(text.split("\n"), 1) if one.strip()]
            if len(lines) > max_rows:
                raise too_many_rows(name, max_rows, rows=len(lines)) from None
            if len(lines) < 2 or not _is_record(lines[0][1], name):
                raise RunsError(
                    f"{name}: not whole JSON (line {error.lineno}: {error.msg}); nothing was read "
                    "from it."
                ) from None
            source = from_records(_records(lines, name, notices), name)
        return Source(name, source.columns, True, source.batches, tuple(notices))


def _parsed(text: str, name: str) -> Any:
    """What a JSON text says; a name given twice in a record is refused, not overwritten.

    Raises
    ------
    json.JSONDecodeError
        It is not one whole JSON text.
    """
    return _guarded(json.JSONDecoder(object_pairs_hook=_record).decode, text, name)


def _listed(text: str, name: str) -> Iterator[Any]:
    """The items of a JSON list, one by one.

    Raises
    ------
    json.JSONDecodeError
        It is not one whole JSON list.
    """
    decoder = json.JSONDecoder(object_pairs_hook=_record)
    at = _past_blank(text, text.index("[") + 1)
    if text.startswith("]", at):
        raise RunsError(f"{name}: the table has no rows; add the runs.")
    more = True
    while more:
        item, at = _guarded(lambda _, start=at: decoder.raw_decode(text, start), text, name)
        yield item
        at = _past_blank(text, at)
        more = text.startswith(",", at)
        if not more and not text.startswith("]", at):
            raise json.JSONDecodeError("Expecting ',' delimiter", text, at)
        at = _past_blank(text, at + 1)
    if at < len(text):
        raise json.JSONDecodeError("Extra data", text, at)


def _past_blank(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return at if found is None else found.end()


class _Twice(ValueError):
    """A record has two values of one name, which is its argument."""


def _record(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        raise _Twice(next(key for key, count in counts.items() if count > 1))
    return found


def _guarded(decode: Callable[[str], Any], text: str, name: str) -> Any:
    try:
        return decode(text)
    except json.JSONDecodeError:
        raise
    except _Twice as error:
        raise RunsError(
            f"{name}: a record has two values of {error.args[0]!r}; keep one."
        ) from None
    except RecursionError:
        raise LimitError(f"{name}: is nested too deeply; not read.") from None
    except ValueError:
        raise LimitError(f"{name}: holds a number of thousands of digits; not read.") from None


def _is_record(line: str, name: str) -> bool:
    try:
        return isinstance(_parsed(line, name), dict)
    except json.JSONDecodeError:
        return False


def _records(lines: list[tuple[int, str]], name: str, notices: list[str]) -> Iterator[Any]:
    last = lines[-1][0]
    for number, line in lines:
        try:
            yield _parsed(line, name)
        except json.JSONDecodeError as error:
            if number == last and not line.rstrip().endswith("}"):
                notices.append(
                    f"{name}: line {number}, the last, is cut short and was left out; the "
                    f"{len(lines) - 1} lines before it are whole."
                )
                return
            raise RunsError(
                f"{name}: line {number} is not whole JSON ({error.msg}); repair or remove it."
            ) from None


def _table(content: Any, name: str) -> Source:
    if isinstance(content, dict):
        values = [*content.values()]
        if {"columns", "data"} <= {*content} and isinstance(content["data"], list):
            names, rows = content["columns"], content["data"]
            if not isinstance(names, list) or any(
                not isinstance(row, list) or len(row) != len(names) for row in rows
            ):
                raise RunsError(f"{name}: its rows do not match its columns; {_FORMS}.")
            check_names([*map(str, names)], name)
            return from_columns(
                {str(one): [row[i] for row in rows] for i, one in enumerate(names)}, name
            )
        if values and all(isinstance(one, list) for one in values):
            if len(values) > 1 or not all(isinstance(one, dict) for one in values[0]):
                return from_columns(content, name)
            content = values[0]  # the records under one name, such as "runs"
        elif {"schema", "data"} == {*content}:  # as pandas writes a table with its types
            content = content["data"]
        elif values and all(isinstance(one, dict) for one in values):
            return from_columns(_indexed(content, name), name)
        else:
            content = [content]  # one record
    if not isinstance(content, list):
        raise RunsError(f"{name}: is JSON but no table; {_FORMS}.")
    if not content:
        raise RunsError(f"{name}: the table has no rows; add the runs.")
    return from_records(content, name)


def _indexed(content: dict[str, dict[str, Any]], name: str) -> dict[str, list[Any]]:
    """Columns of values by row number, as pandas writes them."""
    numbers = [*next(iter(content.values()))]
    if not all(key.isdecimal() for key in numbers) or any(
        [*one] != numbers for one in content.values()
    ):
        raise RunsError(f"{name}: is JSON but no table; {_FORMS}.")
    return {column: [*values.values()] for column, values in content.items()}
