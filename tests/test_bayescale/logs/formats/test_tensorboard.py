"""TensorBoard: files written by two loggers read to the rows that were logged, every point."""

import random
import struct
from pathlib import Path

import google_crc32c
import numpy as np
import pytest

from bayescale.errors import LimitError, RunsError
from bayescale.logs.formats import FORMATS
from tests.reference.logs.logged import CONFIG, RESUMED_AT, rows
from tests.test_bayescale.logs.trackers import (
    FIXTURES,
    as_single,
    bits,
    blob,
    double,
    event,
    masked,
    mutations,
    number,
    points,
    read,
    records,
    scalar,
    single,
    tfrecord,
    varint,
)

STORE = FIXTURES / "tensorboard"
TENSORS = next((STORE / "tensors").iterdir())


def expected(count: int, seed: int = 0, start: int = 0) -> list[dict]:
    return [
        bits({"step": step, **as_single(row)})
        for step, row in enumerate(rows(count, seed))
        if step >= start
    ]


def file_of(*events: bytes) -> bytes:
    return b"".join(tfrecord(one, google_crc32c.value) for one in events)


def read_bytes(folder: Path, data: bytes):
    path = folder / "events.out.tfevents.1.host"
    path.write_bytes(data)
    return read("tensorboard", path)


# --- what the loggers write


@pytest.mark.parametrize("how", ["finished", "tensors"])
def test_a_run_reads_to_the_rows_that_were_logged_bit_for_bit(how):
    (run,) = read("tensorboard", STORE / how)
    assert run.name == how
    assert run.state is None
    assert [bits(row) for row in records(run, "wall_time")] == expected(20)
    assert min(run.history["wall_time"].to_pylist()) > 1.7e9


def test_hyperparameters_text_and_what_is_no_scalar():
    (run,) = read("tensorboard", STORE / "finished")
    assert run.config == {**CONFIG, "notes/text_summary": "a \N{SNOWMAN}"}
    assert run.summary == {"final": 2.5}
    left_out, taken = run.notes
    assert "1 values of 1 tags that are no scalars ('weights') are left out" in left_out
    assert "what add_hparams wrote is taken as config and summary of finished" in taken


def test_a_killed_and_resumed_run_is_one_run_with_its_duplicate_steps():
    (run,) = read("tensorboard", STORE / "restarted")
    found = [bits(row) for row in records(run, "wall_time")]
    before = found[: -(300 - RESUMED_AT)]
    assert 200 < len(before) < 300
    # Each metric is a record of its own: the last may be there in part.
    assert before[:-1] == expected(300)[: len(before) - 1]
    assert before[-1].items() <= expected(300)[len(before) - 1].items()
    assert found[len(before) :] == expected(300, 1, RESUMED_AT)
    cut, order = run.notes
    assert "the file ends within a record" in cut
    assert "2 event files are read as one run" in order


def test_folders_below_are_runs_of_their_own():
    assert [run.name for run in read("tensorboard", STORE)] == ["finished", "restarted", "tensors"]


def test_files_and_folders_with_files_are_claimed():
    claims = FORMATS["tensorboard"].claims
    assert claims(TENSORS)
    assert claims(TENSORS.parent)
    assert not claims(STORE)
    assert not claims(FIXTURES / "logged.py")


def test_a_file_alone_is_called_by_its_folder():
    (run,) = read("tensorboard", TENSORS)
    assert run.name == "tensors"


# --- every point


def test_every_one_of_many_points_is_read(tmp_path):
    draw = random.Random(5)
    values = [draw.random() for _ in range(12_000)]
    data = file_of(*(event(step, scalar("loss", value)) for step, value in enumerate(values)))
    (run,) = read_bytes(tmp_path, data)
    assert run.history["loss"].to_pylist() == [as_single({"": v})[""] for v in values]
    assert run.history["step"].to_pylist() == list(range(12_000))
    assert run.notes == ()


def test_files_are_ordered_by_the_time_in_their_names(tmp_path):
    for when in (9, 100, 20):
        data = file_of(event(when, scalar("loss", when)))
        (tmp_path / f"events.out.tfevents.{when}.host").write_bytes(data)
    (run,) = read("tensorboard", tmp_path)
    assert run.history["step"].to_pylist() == [9, 20, 100]


def test_points_of_one_step_are_one_record_until_a_metric_comes_again(tmp_path):
    data = file_of(
        event(1, scalar("a", 1), scalar("b", 2)),
        event(1, scalar("c", 3)),
        event(1, scalar("a", 4)),
        event(2, scalar("step", 5)),
        event(-3, scalar("a", 6)),
    )
    (run,) = read_bytes(tmp_path, data)
    assert records(run, "wall_time") == [
        {"step": 1, "a": 1.0, "b": 2.0, "c": 3.0},
        {"step": 1, "a": 4.0},
        {"step": 2, "logged_step": 5.0},
        {"step": -3, "a": 6.0},
    ]


# --- scalars as tensors


def tensor(*fields: bytes) -> bytes:
    return blob(1, "x") + blob(8, b"".join(fields))


def shape(*sizes: int) -> bytes:
    return blob(2, b"".join(blob(2, number(1, size)) for size in sizes))


def kind(type_: int) -> bytes:
    return number(1, type_)


CONTENTS = {1: "<f4", 2: "<f8", 3: "<i4", 4: "u1", 5: "<i2", 6: "i1", 9: "<i8", 19: "<f2"}
CONTENTS |= {17: "<u2", 22: "<u4", 23: "<u8"}


@pytest.mark.parametrize("type_", CONTENTS)
def test_the_content_of_a_tensor_is_a_number_of_its_type(tmp_path, type_):
    value = np.array(-3.5 if "f" in CONTENTS[type_] else 100).astype(CONTENTS[type_])
    data = file_of(event(1, tensor(kind(type_), shape(), blob(4, value.tobytes()))))
    (run,) = read_bytes(tmp_path, data)
    assert run.history["x"].to_pylist() == [float(value)]


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        ((kind(1), single(5, 0.5)), 0.5),
        ((kind(1), blob(5, struct.pack("<f", 0.5))), 0.5),
        ((kind(2), double(6, 0.1), shape(1, 1)), 0.1),
        ((kind(2), blob(6, struct.pack("<d", 0.1))), 0.1),
        ((kind(3), number(7, -5)), -5.0),
        ((kind(9), blob(10, varint(-5))), -5.0),
        ((kind(10), number(11, 1)), 1.0),
        ((kind(19), number(13, int(np.float16(1.5).view(np.uint16)))), 1.5),
        ((kind(14), blob(13, varint(0x3FC0))), 1.5),
        ((kind(14), blob(4, b"\xc0\x3f")), 1.5),
        ((kind(23), number(17, 2**63)), 2.0**63),
        ((kind(1), shape()), 0.0),
    ],
)
def test_the_value_of_a_tensor_is_a_number_of_its_type(tmp_path, fields, value):
    (run,) = read_bytes(tmp_path, file_of(event(1, tensor(*fields))))
    assert run.history["x"].to_pylist() == [value]


@pytest.mark.parametrize(
    "fields",
    [
        (kind(1), shape(2), blob(5, struct.pack("<ff", 1, 2))),
        (kind(1), shape(0)),
        (kind(1), blob(5, struct.pack("<f", 1)), shape(2**40, 2**40)),
        (kind(8), blob(4, b"12345678")),
        (kind(3), blob(7, varint(1) + varint(2))),
        (kind(3), number(7, 1), number(7, 2)),
    ],
)
def test_a_tensor_that_is_no_scalar_is_left_out_with_a_word(tmp_path, fields):
    (run,) = read_bytes(tmp_path, file_of(event(1, tensor(*fields)), event(2, scalar("y", 1))))
    assert records(run, "wall_time") == [{"step": 2, "y": 1.0}]
    assert "1 values of 1 tags that are no scalars ('x') are left out" in run.notes[0]


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (event(1, tensor(kind(1), blob(4, b"123"))), "not as long as its type says"),
        (event(1, tensor(kind(1), number(5, 1))), "not as long as its type says"),
        (event(1, tensor(kind(19), number(13, 1 << 16))), "a half has 16 bits"),
        (event(1, blob(1, b"\xff") + single(2, 1)), "not UTF-8"),
        (number(5, 1), "where a message belongs"),
        (blob(2, b""), "where a whole number belongs"),
        (event(1, blob(1, "x") + double(2, 1)), "not as long as its type says"),
        (b"\x0a\xff", "cut short"),
    ],
)
def test_an_event_that_cannot_be_decoded_is_counted(tmp_path, message, why):
    (run,) = read_bytes(tmp_path, file_of(message, event(2, scalar("y", 1))))
    assert records(run, "wall_time") == [{"step": 2, "y": 1.0}]
    (note,) = run.notes
    assert "1 events cannot be decoded" in note
    assert why in note


def test_a_failed_session_is_a_failed_run(tmp_path):
    end = blob(9, blob(1, blob(1, "hparams") + blob(2, blob(4, number(1, 2)))))
    (run,) = read_bytes(tmp_path, file_of(event(0, blob(1, "_hparams_/session_end_info") + end)))
    assert run.state == "failed"


# --- what is refused


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "holds no record of TensorBoard; the run was killed before"),
        (b"not a record file at all", "bytes are damaged"),
        (file_of(event(1, scalar("x", 1)))[:-1], "ends within a record"),
    ],
)
def test_a_file_of_which_nothing_can_be_read_is_refused(tmp_path, data, why):
    with pytest.raises(RunsError, match=why):
        read_bytes(tmp_path, data)


def test_a_missing_file_and_a_folder_without_files_are_refused(tmp_path):
    with pytest.raises(RunsError, match="cannot be read"):
        read("tensorboard", tmp_path / "tfevents")
    with pytest.raises(RunsError, match="holds no event files"):
        read("tensorboard", tmp_path)


def test_an_empty_file_beside_a_whole_one_is_a_note(tmp_path):
    (tmp_path / "events.out.tfevents.1.host").write_bytes(b"")
    (tmp_path / "events.out.tfevents.2.host").write_bytes(file_of(event(1, scalar("x", 1))))
    (run,) = read("tensorboard", tmp_path)
    assert len(run.history) == 1
    assert "holds no record" in run.notes[0]


def test_a_folder_of_which_nothing_can_be_read_is_named_among_others(tmp_path):
    for name, data in {"a": b"", "b": file_of(event(1, scalar("x", 1)))}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "events.out.tfevents.1.host").write_bytes(data)
    empty, whole = read("tensorboard", tmp_path)
    assert (len(empty.history), len(whole.history)) == (0, 1)
    assert "holds no record" in empty.notes[0]


def test_a_huge_record_is_refused_before_anything_is_read(tmp_path):
    head = struct.pack("<Q", 1 << 50)
    with pytest.raises(LimitError, match="a record declares"):
        read_bytes(tmp_path, head + struct.pack("<I", masked(head)))


def test_a_tag_for_every_event_is_refused_quickly(tmp_path, monkeypatch):
    monkeypatch.setattr("bayescale.logs.history._MOST_CELLS", 10_000)
    with pytest.raises(LimitError, match="at most 10000 cells are kept in memory"):
        read_bytes(tmp_path, file_of(*(event(i, scalar(f"m{i}", 1)) for i in range(300))))


# --- damage


def ends_of_events(data: bytes) -> set[int]:
    found, at = {0}, 0
    while at < len(data):
        at += 16 + struct.unpack_from("<Q", data, at)[0]
        found.add(at)
    return found


def test_a_cut_at_every_byte_keeps_what_is_before_it(tmp_path):
    data = TENSORS.read_bytes()[:1200]
    whole = points(read_bytes(tmp_path, data)[0])
    ends, most = ends_of_events(TENSORS.read_bytes()), -1
    for end in range(len(data)):
        try:
            (run,) = read_bytes(tmp_path, data[:end])
        except RunsError:
            assert most == -1  # within the first event
            continue
        assert points(run) <= whole
        assert len(points(run)) >= most
        assert bool(run.notes) == (end not in ends)
        most = len(points(run))
    assert most == len(whole)


@pytest.mark.parametrize(
    ("count", "seed"), [(300, 0), pytest.param(5000, 1, marks=pytest.mark.slow)]
)
def test_a_mutated_file_never_reads_differently_without_a_word(tmp_path, count, seed):
    data = TENSORS.read_bytes()
    (whole,) = read_bytes(tmp_path, data)
    ends = ends_of_events(data)
    for copy in mutations(data, count, seed):
        try:
            (run,) = read_bytes(tmp_path, copy)
        except (RunsError, LimitError):
            continue
        assert points(run) <= points(whole)
        if points(run) < points(whole) and len(copy) not in ends:
            assert any("lost" in note or "left out" in note for note in run.notes), run.notes


@pytest.mark.parametrize(
    ("count", "seed"), [(300, 2), pytest.param(5000, 3, marks=pytest.mark.slow)]
)
def test_a_mutated_event_with_a_right_checksum_raises_nothing_else(tmp_path, count, seed):
    draw = random.Random(seed)
    hparams = (STORE / "finished").glob("*/*tfevents*")
    data = next(hparams).read_bytes()
    at, events = 0, [event(1, tensor(kind(2), double(6, 0.1), shape(1, 1)))]
    while at < len(data):
        size = struct.unpack_from("<Q", data, at)[0]
        events.append(data[at + 12 : at + 12 + size])
        at += 16 + size
    for _ in range(count):
        (copy,) = mutations(draw.choice(events), 1, draw.randrange(1 << 30))
        try:
            read_bytes(tmp_path, file_of(copy, event(2, scalar("y", 1))))
        except (RunsError, LimitError):
            pass
