"""SQLite's write-ahead log: whether SQLite takes all of it, as it drops what is damaged silently.

The format is that of https://www.sqlite.org/fileformat2.html#walformat: a header, and frames of a
page each, with checksums that run on from one frame to the next.
"""

import struct
from pathlib import Path

_HEADER, _FRAME = 32, 24
_MAGIC = {0x377F0682: "<", 0x377F0683: ">"}
"""First number of the header, and the byte order of the checksums that it says."""


def damage(path: Path) -> str | None:
    """What SQLite will drop of a write-ahead log as damaged; None where it drops nothing.

    A frame of an earlier use of the file is no damage, nor is one cut short at the very end, whose
    transaction was never complete.
    """
    with path.open("rb") as file:
        header = file.read(_HEADER)
        if len(header) < _HEADER:
            return "is cut short within its header" if header else None
        magic, _, page = struct.unpack(">III", header[:12])
        order = _MAGIC.get(magic)
        if order is None or page not in [1 << power for power in range(9, 17)]:
            return "has a damaged header"
        salts, stored = header[16:24], struct.unpack(">II", header[24:])
        running = _checksum(header[:24], order, (0, 0))
        if running != stored:
            return "has a damaged header"
        number = 0
        while len(frame := file.read(_FRAME + page)) == _FRAME + page:
            number += 1
            running = _checksum(frame[:8] + frame[_FRAME:], order, running)
            if frame[8:16] != salts or running != struct.unpack(">II", frame[16:24]):
                break
        else:
            return None
        lost = frame[8:16] == salts
        while len(frame := file.read(_FRAME + page)) == _FRAME + page:
            lost += frame[8:16] == salts
        return f"is damaged from frame {number} on, {lost:d} frames or more" if lost else None


def _checksum(data: bytes, order: str, start: tuple[int, int]) -> tuple[int, int]:
    """The checksum of some bytes (a multiple of eight) that runs on from another."""
    first, second = start
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second
