"""The frames of TensorFlow's record files: length, checksum, data, checksum."""

import io
import struct
from collections.abc import Iterator

from bayescale.errors import LimitError
from bayescale.logs.checksums import masked_crc32c
from bayescale.logs.damage import Damage

HEADER = 12
"""Bytes before the data: its length (uint64) and the checksum of the length (uint32)."""

_MOST_BYTES = 256 << 20


def records(file: io.BufferedIOBase, damage: Damage) -> Iterator[bytes]:
    """Data of the records of a file, in order; those that fail their checksum are left out.

    Where the checksum of a length fails, nothing says where the next record starts: the rest of
    the file is lost.

    Parameters
    ----------
    file
        The file, at its start.
    damage
        Is told what was lost.

    Raises
    ------
    LimitError
        A record is larger than 256 MiB.
    """
    at = 0
    while head := file.read(HEADER):
        if len(head) < HEADER:
            damage.cut(len(head))
            return
        size, crc = struct.unpack("<QI", head)
        if masked_crc32c(head[:8]) != crc:
            rest = file.seek(0, io.SEEK_END)
            damage.span(at, rest)
            return
        if size > _MOST_BYTES:
            raise LimitError(
                f"{damage.source}: a record declares {size} bytes; at most {_MOST_BYTES} are read. "
                "Log large objects elsewhere than in the event file."
            )
        body = file.read(size + 4)
        if len(body) < size + 4:
            damage.cut(HEADER + len(body))
            return
        after = at + HEADER + len(body)
        data = body[:-4]
        if masked_crc32c(data) == int.from_bytes(body[-4:], "little"):
            yield data
        else:
            damage.span(at, after)
        at = after
