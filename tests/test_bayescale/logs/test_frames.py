"""Frames with checksums: records come back, damage is told, and nothing changes without a word."""

import io
import random
import struct
import zlib

import pytest

from bayescale.errors import LimitError
from bayescale.logs import leveldb_log, tfrecord
from bayescale.logs.checksums import masked_crc32c
from bayescale.logs.damage import Damage
from tests.test_bayescale.logs import trackers


def leveldb(records: list[bytes], start: int = 7) -> bytes:
    """A log as LevelDB's documentation says, after a header of zeros."""
    out = bytearray(start)
    for record in records:
        first = True
        while True:
            left = leveldb_log.BLOCK - len(out) % leveldb_log.BLOCK
            if left < leveldb_log.HEADER:
                out += bytes(left)
                continue
            part = record[: left - leveldb_log.HEADER]
            record = record[len(part) :]
            kind = bytes([(1 if first else 4) if not record else (2 if first else 3)])
            out += struct.pack("<IH", zlib.crc32(kind + part), len(part)) + kind + part
            first = False
            if not record:
                break
    return bytes(out)


def tf(records: list[bytes]) -> bytes:
    return b"".join(trackers.tfrecord(record) for record in records)


def read(frames: str, data: bytes) -> tuple[list[bytes], Damage]:
    damage = Damage("log")
    file = io.BytesIO(data)
    if frames == "tfrecord":
        return list(tfrecord.records(file, damage)), damage
    return list(leveldb_log.records(file, 7, damage)), damage


WRITERS = {"tfrecord": tf, "leveldb": leveldb}


def test_the_masked_checksum_is_that_of_an_independent_one():
    draw = random.Random(0)
    for size in (0, 1, 8, 100):
        data = draw.randbytes(size)
        assert masked_crc32c(data) == trackers.masked(data)


@pytest.mark.parametrize("frames", WRITERS)
def test_records_of_any_length_come_back(frames):
    draw = random.Random(1)
    sizes = [0, 1, 100, 32_000, 700, 28, 7, 70_000, 3]
    sizes = sizes if frames == "leveldb" else [0, 1, 100, 3000, 7]  # the slow checksum
    written = [draw.randbytes(size) for size in sizes]
    found, damage = read(frames, WRITERS[frames](written))
    assert found == written
    assert not damage


@pytest.mark.parametrize("gap", range(9))
def test_a_record_may_begin_anywhere_near_the_end_of_a_block(gap):
    first = bytes(leveldb_log.BLOCK - 7 - leveldb_log.HEADER - gap)
    written = [first, b"second", b"third"]
    found, damage = read("leveldb", leveldb(written))
    assert found == written
    assert not damage


@pytest.mark.parametrize("frames", WRITERS)
def test_a_cut_at_every_byte_keeps_the_records_before_it_and_says_so(frames):
    written = [bytes([i]) * (3 * i) for i in range(8)]
    data = WRITERS[frames](written)
    start = 7 if frames == "leveldb" else 0
    for end in range(start, len(data)):
        found, damage = read(frames, data[:end])
        assert found == written[: len(found)]
        at_a_boundary = WRITERS[frames](written[: len(found)]) == data[:end]
        assert bool(damage) != at_a_boundary
        assert all("ends within a record" in note for note in damage.notes())


@pytest.mark.parametrize("frames", WRITERS)
def test_every_flipped_bit_loses_records_with_a_word_and_changes_none(frames):
    written = [bytes([i]) * (3 * i) for i in range(1, 6)]
    data = WRITERS[frames](written)
    for at in range(7 if frames == "leveldb" else 0, len(data)):
        for bit in range(8):
            copy = bytearray(data)
            copy[at] ^= 1 << bit
            try:
                found, damage = read(frames, bytes(copy))
            except LimitError:
                pytest.fail("a checksum stands before the length")
            assert set(found) < set(written)
            assert damage.notes()


def test_after_damage_reading_goes_on_at_the_next_block():
    written = [bytes([i]) * 10_000 for i in range(1, 20)]
    data = bytearray(leveldb(written))
    data[50_000] ^= 1
    found, damage = read("leveldb", bytes(data))
    assert found == [*written[:4], *written[7:]]  # the seventh record begins in the damaged block
    (note,) = damage.notes()
    assert "bytes are damaged" in note


def test_after_a_damaged_body_the_next_event_is_read():
    written = [b"one", b"two", b"three"]
    data = bytearray(tf(written))
    data[len(tf(written[:1])) + tfrecord.HEADER] ^= 1
    found, damage = read("tfrecord", bytes(data))
    assert found == [b"one", b"three"]
    assert "19 bytes are damaged (bytes 19 to 37)" in damage.notes()[0]


def test_a_huge_length_is_refused_before_anything_is_read():
    head = struct.pack("<Q", 2**62)
    data = head + struct.pack("<I", trackers.masked(head))
    with pytest.raises(LimitError, match=f"declares {2**62} bytes"):
        read("tfrecord", data)


@pytest.mark.parametrize(("frames", "module"), [("tfrecord", tfrecord), ("leveldb", leveldb_log)])
def test_a_large_record_is_left_out_with_a_word(monkeypatch, frames, module):
    monkeypatch.setattr(module, "_LARGE", 50_000)
    written = [b"one", bytes(100_000), b"two"]
    data = WRITERS[frames](written)
    found, damage = read(frames, data)
    assert found == [b"one", b"two"]
    assert damage.notes() == ("log: 1 records are larger than 50000 bytes and are left out.",)


def test_frames_of_one_record_within_another_are_damage():
    def frame(kind: int, data: bytes) -> bytes:
        mark = bytes([kind])
        return struct.pack("<IH", zlib.crc32(mark + data), len(data)) + mark + data

    data = bytes(7) + frame(2, b"begun") + frame(1, b"whole") + frame(4, b"end") + frame(1, b"x")
    found, damage = read("leveldb", data)
    assert found == [b"whole", b"x"]
    assert "22 bytes are damaged (bytes 7 to 18, 31 to 40)" in damage.notes()[0]


def test_many_damaged_places_are_counted():
    damage = Damage("log")
    for at in range(0, 100, 10):
        damage.span(at, at + 2)
    damage.count("lines are odd")
    damage.count("lines are odd", 2)
    assert damage.notes() == (
        "log: 20 bytes are damaged (bytes 0 to 1, 10 to 11, 20 to 21 and 7 more places); the "
        "records in them are lost.",
        "log: 3 lines are odd.",
    )
