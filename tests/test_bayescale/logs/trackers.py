"""What the tests of the trackers' formats share: fixtures, small writers, and damage."""

import gzip
import math
import random
import struct
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bayescale.logs.formats import FORMATS
from bayescale.logs.run_log import RunLog

FIXTURES = Path(__file__).resolve().parents[2] / "reference" / "logs"


def read(name: str, path: Path) -> list[RunLog]:
    return list(FORMATS[name].read(path))


def unpacked(name: str, folder: Path) -> Path:
    """A fixture that is packed, as its logger left it."""
    packed = FIXTURES / name
    target = folder / packed.stem.removesuffix(".tar")
    if packed.name.endswith(".tar.gz"):
        with tarfile.open(packed) as archive:
            archive.extractall(folder, filter="data")
    else:
        target.write_bytes(gzip.decompress(packed.read_bytes()))
    return target


def records(run: RunLog, *without: str) -> list[dict[str, Any]]:
    """Records of a run, without what they do not have."""
    return [
        {key: value for key, value in row.items() if value is not None and key not in without}
        for row in run.history.to_pylist()
    ]


def bits(row: Mapping[str, Any]) -> dict[str, Any]:
    """A record whose numbers compare bit for bit."""
    return {k: struct.pack("<d", v) if isinstance(v, float) else v for k, v in row.items()}


def as_single(row: Mapping[str, float]) -> dict[str, float]:
    """A record rounded to float32, as TensorBoard stores it."""
    return {k: struct.unpack("<f", struct.pack("<f", v))[0] for k, v in row.items()}


def points(run: RunLog) -> set[tuple[Any, ...]]:
    """Step, metric and value of everything that a run logged; times are those of records."""
    return {
        (row.get("step"), key, "nan" if isinstance(value, float) and math.isnan(value) else value)
        for row in records(run)
        for key, value in row.items()
        if key not in ("step", "wall_time")
    }


# --- damage


def mutations(data: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Copies of some bytes, each damaged in one to three places."""
    draw = random.Random(seed)
    for _ in range(count):
        copy = bytearray(data)
        for _ in range(draw.choice((1, 1, 1, 2, 3))):
            at = draw.randrange(len(copy) + 1)
            size = draw.choice((1, 1, 2, 4, 16, 200))
            kind = draw.randrange(6)
            if kind == 0:
                copy[at : at + 1] = bytes([draw.randrange(256)])
            elif kind == 1 and at < len(copy):
                copy[at] ^= 1 << draw.randrange(8)
            elif kind == 2:
                del copy[at:]
            elif kind == 3:
                del copy[at : at + size]
            elif kind == 4:
                copy[at:at] = draw.randbytes(size)
            else:
                copy[at : at + size] = draw.choice((b"\0", b"\xff")) * size
            if not copy:
                break
        yield bytes(copy)


# --- Protocol Buffers, written


def varint(value: int) -> bytes:
    value %= 1 << 64
    out = bytearray()
    while True:
        value, low = value >> 7, value & 127
        out.append(low | (128 if value else 0))
        if not value:
            return bytes(out)


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def blob(field: int, value: bytes | str) -> bytes:
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value


def double(field: int, value: float) -> bytes:
    return varint(field << 3 | 1) + struct.pack("<d", value)


def single(field: int, value: float) -> bytes:
    return varint(field << 3 | 5) + struct.pack("<f", value)


# --- frames, written


def crc32c(data: bytes) -> int:
    """CRC-32C bit by bit (polynomial 0x1edc6f41, reflected)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data: bytes, crc=crc32c) -> int:
    value = crc(data)
    return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF


def tfrecord(data: bytes, crc=crc32c) -> bytes:
    head = struct.pack("<Q", len(data))
    return head + struct.pack("<I", masked(head, crc)) + data + struct.pack("<I", masked(data, crc))


def event(step: int, *values: bytes, time: float = 1.5) -> bytes:
    return double(1, time) + number(2, step) + blob(5, b"".join(blob(1, one) for one in values))


def scalar(tag: str, value: float) -> bytes:
    return blob(1, tag) + single(2, value)
