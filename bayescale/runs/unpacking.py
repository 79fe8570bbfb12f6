"""Files packed by gzip, unpacked while they are read; what would fill the memory is refused."""

import gzip
import io
import zlib

from bayescale.errors import LimitError, RunsError
from bayescale.runs.reader import damaged

MARK = b"\x1f\x8b"
"""The first bytes of a packed file."""

SUFFIX = ".gz"

_BOMB_BYTES, _BOMB_RATIO = 1 << 29, 200
_CHUNK = 1 << 24


class Unpacked(gzip.GzipFile):
    """The content of a packed file.

    Parameters
    ----------
    packed
        The file, at its start.
    name
        Its name in messages.
    """

    def __init__(self, packed: io.BufferedIOBase, name: str) -> None:
        super().__init__(fileobj=packed)
        self._packed, self._called = packed, name

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
        unpacked, packed = self.tell(), self._packed.tell()
        if unpacked > _BOMB_BYTES and unpacked > _BOMB_RATIO * packed:
            raise LimitError(
                f"{self._called}: unpacks to more than {_BOMB_RATIO} times its size and "
                f"{_BOMB_BYTES >> 20} MB, so it is refused; unpack it yourself if you trust it."
            )
        return found
