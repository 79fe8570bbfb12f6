"""The frames of LevelDB's log: blocks of 32 KiB of frames, each a checksum, a length and a type.

https://github.com/google/leveldb/blob/main/doc/log_format.md; W&B writes the same frames with
another checksum, the plain CRC-32 of zlib (type and data).
"""

import io
import struct
import zlib
from collections.abc import Iterator

from bayescale.logs.damage import Damage

BLOCK = 1 << 15
HEADER = 7
"""Bytes before the data of a frame: checksum (uint32), length (uint16), type (uint8)."""

_WHOLE, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_LARGE = 64 << 20


def records(file: io.BufferedIOBase, start: int, damage: Damage) -> Iterator[bytes]:
    """Records of a file, in order; those that fail their checksum are left out.

    After damage, reading goes on at the next block. Records larger than 64 MiB are left out too.

    Parameters
    ----------
    file
        The file; blocks are counted from its first byte.
    start
        Bytes of the first block that are a header of the file's own.
    damage
        Is told what was lost.
    """
    file.seek(0)
    parts: list[bytes] = []
    size = since = 0  # of the record that is open, and where it starts
    at = start
    for base, block in _blocks(file):
        place, at = at, 0
        while place + HEADER <= len(block):
            crc, length, kind = struct.unpack_from("<IHB", block, place)
            end = place + HEADER + length
            if end > len(block) and len(block) < BLOCK:
                break  # the file ends within the frame
            data = block[place + HEADER : end]
            fits = end <= len(block) and _WHOLE <= kind <= _LAST
            if not fits or zlib.crc32(data, zlib.crc32(bytes([kind]))) != crc:
                damage.span(since if parts else base + place, base + len(block))
                parts, place = [], len(block)
                break
            if (kind in (_WHOLE, _FIRST)) == bool(parts):
                # The record before has no end, or this one no beginning.
                damage.span(since if parts else base + place, base + (place if parts else end))
                parts = []
                if kind in (_MIDDLE, _LAST):
                    place = end
                    continue
            if not parts:
                since, size = base + place, 0
            size += length
            parts.append(data if size <= _LARGE else b"")
            if kind in (_WHOLE, _LAST):
                if size <= _LARGE:
                    yield b"".join(parts)
                else:
                    damage.count(f"records are larger than {_LARGE} bytes and are left out")
                parts = []
            place = end
        if len(block) < BLOCK and (place < len(block) or parts):
            damage.cut(base + len(block) - (since if parts else base + place))
            parts = []
    if parts:
        damage.cut(file.tell() - since)


def _blocks(file: io.BufferedIOBase) -> Iterator[tuple[int, bytes]]:
    base = 0
    while block := file.read(BLOCK):
        yield base, block
        base += len(block)
