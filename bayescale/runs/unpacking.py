"""Files packed by gzip, unpacked while they are read; what would fill the memory is refused."""

import gzip
import io
import os
import zlib

import pyarrow as pa

from bayescale.errors import RunsError
from bayescale.runs.reader import MOST_ROWS, damaged, unpacks_too_far

MARK = b"\x1f\x8b"
"""The first bytes of a packed file."""

SUFFIX = ".gz"

FOREIGN = {
    b"PK\x03\x04": "a zip archive",
    b"\xfd7zXZ\x00": "xz",
    b"BZh": "bzip2",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"\x04\x22\x4d\x18": "lz4",
}
"""First bytes of what is packed in another way, which is not read -> what it is called."""

_CHUNK = 1 << 22


class Unpacked(gzip.GzipFile):
    """The content of a packed file.

    Parameters
    ----------
    packed
        The file, at its start.
    name
        Its name in messages.
    max_rows
        Rows that are allowed; more may unpack to more.
    """

    def __init__(self, packed: io.BufferedIOBase, name: str, max_rows: int = MOST_ROWS) -> None:
        super().__init__(fileobj=packed)
        self.packed, self._called, self._max_rows = packed, name, max_rows

    def read(self, size: int | None = -1) -> bytes:
        """Return at most `size` bytes, all that are left by default.

        Raises
        ------
        RunsError
            The file is damaged or cut short.
        LimitError
            It unpacks to far more than its size.
        """
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(_CHUNK), b""))
        if size > _CHUNK:  # so that what would fill the memory is noticed on the way
            first = self.read(_CHUNK)
            return first and first + self.read(size - len(first))
        try:
            found = super().read(size)
        except (EOFError, OSError, zlib.error):
            raise RunsError(damaged(self._called, "gzip")) from None
        refusal = unpacks_too_far(self._called, self.packed.tell(), self.tell(), self._max_rows)
        if refusal:
            raise refusal
        return found


def native(file: io.BufferedIOBase) -> pa.NativeFile:
    """The content of a file, packed or not, read by Arrow without calling Python.

    Threads of Arrow read ahead. One that calls a Python file while the interpreter ends, as it
    does soon after a table is refused, aborts the process.
    """
    if isinstance(file, Unpacked):
        place = file.packed.tell()
        file.packed.seek(-min(8, file.packed.seek(0, os.SEEK_END)), os.SEEK_END)
        padded = not any(file.packed.read())
        file.packed.seek(place)
        if padded:  # with zeros at its end, which gzip allows and Arrow does not
            return pa.BufferReader(file.read())
        return pa.CompressedInputStream(native(file.packed), "gzip")
    if isinstance(file, io.BytesIO):
        return pa.BufferReader(file.getvalue())
    file.seek(0)
    try:
        return pa.OSFile(os.fspath(getattr(file, "name", "")))
    except (OSError, TypeError, ValueError):  # no file by name, or a name that Arrow cannot encode
        return pa.BufferReader(file.read())
