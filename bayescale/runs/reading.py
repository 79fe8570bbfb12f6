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
from bayescale.runs.reader import MOST_ROWS, AbstractReader, Source
from bayescale.runs.readers import READERS
from bayescale.runs.unpacking import FOREIGN, MARK, SUFFIX, Unpacked

PLAIN = "csv"
"""The format of a file that neither its first bytes nor its name tells."""

POSTERIOR = ".nc"
"""The ending of a saved posterior."""

_EXECUTABLE = (".pkl", ".pickle", ".joblib", ".npy", ".npz", ".pt", ".pth")
_OTHER_FORMATS = (
    ".xlsx",
    ".xls",
    ".ods",
    ".zip",
    ".xz",
    ".zst",
    ".lz4",
    ".7z",
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


def saved_posterior(name: str) -> str | None:
    """Return the sentence that says how to read a posterior, where a name is that of one."""
    if not name.lower().endswith(POSTERIOR):
        return None
    return (
        f"'{name}' is called like a saved posterior, not a table of runs; read it with "
        f"bs.Posterior.load({name!r}) (command line: bayescale summary '{name}')."
    )


def endings() -> list[str]:
    """Return the endings of the names of files that are read."""
    return [SUFFIX, *(suffix for reader in READERS.values() for suffix in reader.suffixes)]


def without_suffix(name: str) -> str:
    """Return the name of a file without the endings of formats."""
    known = endings()
    while ending := next((e for e in known if name.lower().endswith(e)), ""):
        name = name[: -len(ending)]
    return name


def open_source(
    source: str | os.PathLike | Readable,
    stack: contextlib.ExitStack,
    separator: str | None = None,
    max_rows: int = MOST_ROWS,
) -> Source:
    """Open a file of any format, or a stream (`-` is stdin), without reading its rows yet.

    What is opened is closed with `stack`. A `separator` is that of a text, where it is declared;
    with more rows than `max_rows` a table is refused.

    Raises
    ------
    RunsError
        The file is missing, damaged, or not in a form that can be read without guessing.
    LimitError
        Opening the file could run code or exhaust memory.
    UsageError
        A separator was declared of what has none.
    """
    if isinstance(source, str) and source == "-":
        stream = cast(Readable, getattr(sys.stdin, "buffer", sys.stdin))
        return _open_stream(stream, "stdin", separator, max_rows)
    if not isinstance(source, str | os.PathLike):
        name = Path(str(getattr(source, "name", "stream"))).name
        return _open_stream(source, name, separator, max_rows)
    path = Path(source)
    suffix = path.suffix.lower()
    unsafe = [ending for ending in path.suffixes if ending.lower() in _EXECUTABLE]
    if unsafe:
        raise LimitError(
            f"{path.name}: files ending in {unsafe[0]} can run code when opened, so they are "
            f"refused; save the table as {titles()}."
        )
    if (sentence := saved_posterior(str(path))) and not _by_suffix(suffix):
        raise RunsError(sentence)
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
    except (OSError, ValueError) as error:
        strerror = getattr(error, "strerror", None)
        raise RunsError(f"{str(path)!r} cannot be read: {strerror or error}.") from None
    if not file.seekable():  # a named pipe
        return _open_stream(file, path.name, separator, max_rows)
    return _opened(file, path.name, separator, max_rows, streamed=False)


def _by_content(head: bytes) -> AbstractReader | None:
    return next((r for r in READERS.values() if head.startswith(r.marks)), None)


def _by_suffix(suffix: str) -> AbstractReader | None:
    return next((r for r in READERS.values() if suffix in r.suffixes), None)


def _open_stream(stream: Readable, name: str, separator: str | None, max_rows: int) -> Source:
    content = stream.read()
    if isinstance(content, str):
        content = content.encode()
    return _opened(io.BytesIO(content), name, separator, max_rows, streamed=True)


def _opened(
    file: io.BufferedIOBase, name: str, separator: str | None, max_rows: int, *, streamed: bool
) -> Source:
    """Open what is text or not, packed or not, by its first bytes and then by its name."""
    head = _head(file)
    packed = head.startswith(MARK) or name.lower().endswith(SUFFIX)
    if packed:
        file = cast(io.BufferedIOBase, Unpacked(file, name, max_rows))
        head = _head(file)
    if foreign := next((called for mark, called in FOREIGN.items() if head.startswith(mark)), ""):
        raise RunsError(
            f"{name}: is {foreign if ' ' in foreign else f'packed by {foreign}'}, which is not "
            "read; unpack it, or pack the text by gzip."
        )
    inner = name[: -len(SUFFIX)] if name.lower().endswith(SUFFIX) else name
    reader = _by_content(head) or _by_suffix(Path(inner).suffix.lower()) or READERS[PLAIN]
    if (streamed or packed) and not reader.streams:
        read = " or ".join(one.title for one in READERS.values() if one.streams)
        what = "a stream" if streamed else "what is packed by gzip"
        raise RunsError(f"{name}: {what} must be {read}; give {reader.title} as a file.")
    if separator is not None:
        reader = reader.separated_by(separator)
    return reader.open(file, name, max_rows)


def _head(file: io.BufferedIOBase) -> bytes:
    head = file.read(8)
    file.seek(0)
    return head
