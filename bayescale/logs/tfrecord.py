"""The frames of TensorFlow's record files: length, checksum, data, checksum."""

import io
import struct
from collections.abc import Iterator

from bayescale.errors import LimitError
from bayescale.logs.checksums import masked_crc32c
from bayescale.logs.damage import Damage

HEADER = 12
"""Bytes before the data: its length (uint64) and the checksum of the length (uint32)."""

_MOST_BYTES = 2 << 30  # of a message of Protocol Buffers
_LARGE = 64 << 20


def records(file: io.BufferedIOBase, damage: Damage) -> Iterator[bytes]:
    """Data of the records of a file, in order; those that fail their checksum are left out.

    Where the checksum of a length fails, nothing says where the next record starts: the rest of
    the file is lost. Records larger than 64 MiB are no scalars and are skipped.

    Parameters
    ----------
    file
        The file, at its start.
    damage
        Is told what was lost.

    Raises
    ------
    LimitError
        A record declares more than 2 GiB, which no event has.
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
                f"{damage.source}: a record declares {size} bytes, but an event has at most "
                f"{_MOST_BYTES}; the file was not written by TensorBoard, and is not read."
            )
        if size > _LARGE:
            at = file.seek(size + 4, io.SEEK_CUR)
            damage.count(f"records are larger than {_LARGE} bytes and are left out")
            continue
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
