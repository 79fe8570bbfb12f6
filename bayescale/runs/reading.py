"""Opening a table of runs: which format reads it, and what is refused unread.

Rows are counted as data rows from 1, the header and blank lines not counted. Nothing that is read
is ever evaluated or unpickled.
"""

import contextlib
import io
import os
import sys
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

from bayescale.errors import LimitError, RunsError
from bayescale.runs.reader import AbstractReader, Source
from bayescale.runs.readers import READERS

PLAIN = "csv"
"""The format of a file that neither its first bytes nor its name tells."""

_EXECUTABLE = (".pkl", ".pickle", ".joblib", ".npy", ".npz", ".pt", ".pth")
_OTHER_FORMATS = (
    ".xlsx",
    ".xls",
    ".ods",
    ".json",
    ".jsonl",
    ".zip",
    ".xz",
    ".bz2",
    ".feather",
    ".arrow",
    ".h5",
)


@runtime_checkable
class Readable(Protocol):
    """An open file or stream: anything with a `read` that returns bytes or text."""

    def read(self, size: int = -1, /) -> bytes | str:
        """Return at most `size` bytes or characters, all of them by default."""
        ...


def titles() -> str:
    """Return what the formats are called, for messages."""
    return " or ".join(reader.title for reader in READERS.values())


def without_suffix(name: str) -> str:
    """Return the name of a file without the endings of formats."""
    endings = [suffix for reader in READERS.values() for suffix in reader.suffixes]
    while ending := next((e for e in endings if name.lower().endswith(e)), ""):
        name = name[: -len(ending)]
    return name


def open_source(source: str | os.PathLike | Readable, stack: contextlib.ExitStack) -> Source:
    """Open a file of any format, or a stream (`-` is stdin), without reading its rows yet.

    What is opened is closed with `stack`.

    Raises
    ------
    RunsError
        The file is missing, damaged, or not in a form that can be read without guessing.
    LimitError
        Opening the file could run code or exhaust memory.
    """
    if isinstance(source, str) and source == "-":
        return _open_stream(cast(Readable, getattr(sys.stdin, "buffer", sys.stdin)), "stdin")
    if not isinstance(source, str | os.PathLike):
        return _open_stream(source, Path(str(getattr(source, "name", "stream"))).name)
    path = Path(source)
    suffix = path.suffix.lower()
    unsafe = [ending for ending in path.suffixes if ending.lower() in _EXECUTABLE]
    if unsafe:
        raise LimitError(
            f"{path.name}: files ending in {unsafe[0]} can run code when opened, so they are "
            f"refused; save the table as {titles()}."
        )
    if suffix in _OTHER_FORMATS and not _by_suffix(suffix):
        raise RunsError(
            f"{path.name}: files ending in {suffix} are not read; save the table as {titles()}, or "
            "pass a DataFrame."
        )
    try:
        file = stack.enter_context(path.open("rb"))
    except FileNotFoundError:
        raise RunsError(f"there is no file '{path}'; check the path (or '-' for stdin).") from None
    except IsADirectoryError:
        raise RunsError(f"'{path}' is a directory; give one file: {titles()}.") from None
    except OSError as error:
        raise RunsError(f"'{path}' cannot be read: {error.strerror or error}.") from None
    reader = _by_content(file.peek(8)) or _by_suffix(suffix) or READERS[PLAIN]
    return reader.open(file, path.name)


def _by_content(head: bytes) -> AbstractReader | None:
    return next((r for r in READERS.values() if head.startswith(r.marks)), None)


def _by_suffix(suffix: str) -> AbstractReader | None:
    return next((r for r in READERS.values() if suffix in r.suffixes), None)


def _open_stream(stream: Readable, name: str) -> Source:
    content = stream.read()
    if isinstance(content, str):
        content = content.encode()
    reader = _by_content(content[:8]) or READERS[PLAIN]
    if not reader.streams:
        read = " or ".join(one.title for one in READERS.values() if one.streams)
        raise RunsError(f"{name}: a stream must be {read}; give {reader.title} as a file.")
    return reader.open(io.BytesIO(content), name)
