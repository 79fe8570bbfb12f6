"""W&B: files written by wandb read to the rows that were logged, whatever happens to the file."""

import json
import math
import random
import struct
import zlib
from pathlib import Path

import pytest

from bayescale.errors import LimitError, RunsError
from bayescale.logs.formats import FORMATS
from tests.reference.logs.logged import CONFIG, RESUMED_AT, rows
from tests.test_bayescale.logs.trackers import (
    FIXTURES,
    bits,
    blob,
    mutations,
    number,
    points,
    read,
    records,
    varint,
)

STORE = FIXTURES / "wandb"
OWN = ("_timestamp", "_runtime", "deep.er.one", "text")


def file_of(how: str) -> Path:
    return sorted(STORE.glob(f"*{how}*/*.wandb"))[0]


def expected(count: int, seed: int = 0, start: int = 0) -> list[dict]:
    return [
        bits({"step": step, **row}) for step, row in enumerate(rows(count, seed)) if step >= start
    ]


# --- a small writer


def item(value: object, *keys: str, field: int = 1) -> bytes:
    names = blob(1, keys[0]) if len(keys) == 1 else b"".join(blob(2, key) for key in keys)
    return blob(field, names + blob(16, value if isinstance(value, str) else json.dumps(value)))


def history(step: int, *items: bytes) -> bytes:
    return blob(2, b"".join(items) + blob(2, number(1, step)))


def wandb_file(*messages: bytes, head: bytes = b":W&B\xe1\xbe\0") -> bytes:
    """A file whose messages fit in its first block."""
    out = head
    for message in messages:
        out += struct.pack("<IHB", zlib.crc32(b"\1" + message), len(message), 1) + message
    assert len(out) < 1 << 15
    return out


def read_bytes(folder: Path, data: bytes):
    path = folder / "run-x.wandb"
    path.write_bytes(data)
    return read("wandb", path)


RUN = blob(17, blob(1, "x1") + blob(8, "small") + blob(4, item(0.1, "lr")))
EXIT = blob(18, b"")


# --- what wandb writes


@pytest.mark.parametrize("how", ["finished", "failed"])
def test_a_run_reads_to_the_rows_that_were_logged_bit_for_bit(how):
    (run,) = read("wandb", file_of(how))
    assert run.name == f"small ({how}1)"
    assert run.state == how
    assert run.notes == ()
    assert [bits(row) for row in records(run, *OWN)] == expected(20)
    assert run.history["deep.er.one"].to_pylist() == list(range(20))
    assert run.config == {**CONFIG, "model.width": 64, "model.sizes": "[1, 2]"}
    assert run.summary["loss"] == rows(20)[-1]["loss"]
    assert run.summary["_step"] == 19


def test_text_is_kept_as_text():
    (run,) = read("wandb", file_of("finished"))
    assert run.history["text"].to_pylist() == [None] * 19 + ["done \N{SNOWMAN}"]


def test_a_killed_run_keeps_its_whole_records_and_says_what_was_lost():
    (run,) = read("wandb", file_of("killed"))
    assert run.state == "crashed"
    assert [bits(row) for row in records(run, *OWN)] == expected(300)[: len(run.history)]
    assert 200 < len(run.history) < 300
    assert "the file ends within a record" in run.notes[0]
    assert "no exit record" in run.notes[1]


def test_a_resumed_run_is_given_twice_under_one_name():
    runs = read("wandb", STORE)
    assert [run.name for run in runs] == [
        "small (finished1)",
        "small (failed1)",
        "small (killed01)",
        "small (killed01)",
    ]
    again = runs[-1]
    assert again.state == "finished"
    assert [bits(row) for row in records(again, *OWN)] == expected(300, 1, RESUMED_AT)


def test_files_folders_of_runs_and_folders_of_all_runs_are_claimed(tmp_path):
    claims = FORMATS["wandb"].claims
    assert claims(STORE)
    assert claims(STORE / file_of("failed").parent.name)
    assert claims(file_of("failed"))
    assert not claims(FIXTURES)
    assert not claims(FIXTURES / "logged.py")
    assert not claims(tmp_path)


def test_the_link_to_the_latest_run_is_not_another_run(tmp_path):
    for name in ("run-20260101_000000-a", "offline-run-20250101_000000-b"):
        (tmp_path / name).mkdir()
        data = wandb_file(blob(17, blob(1, name[-1])), history(0, item(1, "loss")), EXIT)
        (tmp_path / name / f"run-{name[-1]}.wandb").write_bytes(data)
    (tmp_path / "latest-run").symlink_to("run-20260101_000000-a")
    assert [run.name for run in read("wandb", tmp_path)] == ["b", "a"]


def test_a_run_killed_before_it_wrote_is_named_among_others(tmp_path):
    for name, data in {"a": wandb_file(), "b": wandb_file(RUN, EXIT)}.items():
        (tmp_path / f"run-1-{name}").mkdir()
        (tmp_path / f"run-1-{name}" / f"run-{name}.wandb").write_bytes(data)
    empty, _ = read("wandb", tmp_path)
    assert (empty.name, empty.state, len(empty.history)) == ("a", "crashed", 0)
    assert "killed before its logger wrote" in empty.notes[0]


# --- what the records say


def test_config_and_summary_are_updated_and_removed(tmp_path):
    data = wandb_file(
        RUN,
        blob(5, item({"a": 1, "b": {"c": "x"}}, "model", field=1) + item({}, "_wandb")),
        blob(5, item(None, "lr", field=2) + item(3, "model", "b", "d")),
        blob(3, item(1.5, "loss") + item("NaN", "acc") + item(2, "old", "er")),
        blob(3, item(None, "old", "er", field=2)),
        history(3, item(1, "loss"), item(True, "flag"), item(None, "none")),
        blob(18, number(1, -15)),
    )
    (run,) = read_bytes(tmp_path, data)
    assert run.config == {"model.a": 1, "model.b.c": "x", "model.b.d": 3}
    assert math.isnan(run.summary.pop("acc"))
    assert run.summary == {"loss": 1.5}
    assert run.state == "failed"
    assert records(run) == [{"step": 3, "loss": 1.0, "flag": 1.0}]


def test_a_logged_step_stands_beside_the_count_of_records(tmp_path):
    data = wandb_file(RUN, history(7, item(5, "_step"), item(100, "step")), EXIT)
    (run,) = read_bytes(tmp_path, data)
    assert records(run) == [{"step": 5, "logged_step": 100.0}]
    assert "kept as 'logged_step'" in run.notes[0]


def test_duplicate_steps_are_kept_as_written(tmp_path):
    data = wandb_file(RUN, *(history(1, item(x, "loss")) for x in (1.0, 2.0)), EXIT)
    (run,) = read_bytes(tmp_path, data)
    assert records(run) == [{"step": 1, "loss": 1.0}, {"step": 1, "loss": 2.0}]


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (history(1, item("{", "loss")), "Expecting property name"),
        (history(1, item("[" * 20_000, "loss")), "nested too deep"),
        (history(1, item('"\\ud800"', "loss")), "not UTF-8"),
        (history(1, item("1" * 5000, "loss")), "Exceeds the limit"),
        (history(1, item(1, *["k"] * 40)), "more than 32 levels"),
        (number(2, 1), "where a message belongs"),
        (b"\x0b", "no wire type 3"),
    ],
)
def test_a_record_that_cannot_be_decoded_is_counted(tmp_path, message, why):
    whole = history(2, item(1, "loss"))
    (run,) = read_bytes(tmp_path, wandb_file(RUN, message, whole, EXIT))
    assert records(run) == [{"step": 2, "loss": 1.0}]
    (note,) = run.notes
    assert "1 records cannot be decoded" in note
    assert why in note


# --- what is refused


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not a file of W&B"),
        (b"PAR1....", "not a file of W&B"),
        (wandb_file(RUN, head=b":W&B\xe1\xbe\x01"), "a version that is not known"),
        (wandb_file(), "holds no record; the run was killed before"),
        (wandb_file(RUN)[:20], "holds no record; .* ends within a record"),
    ],
)
def test_a_file_of_which_nothing_can_be_read_is_refused(tmp_path, data, why):
    with pytest.raises(RunsError, match=why):
        read_bytes(tmp_path, data)


def test_a_missing_file_and_a_folder_without_runs_are_refused(tmp_path):
    with pytest.raises(RunsError, match="cannot be read"):
        read("wandb", tmp_path / "run-x.wandb")
    with pytest.raises(RunsError, match="holds no run of W&B"):
        read("wandb", tmp_path)


def test_a_metric_for_every_record_is_refused_quickly(tmp_path, monkeypatch):
    monkeypatch.setattr("bayescale.logs.history._MOST_CELLS", 10_000)
    messages = [history(step, item(1, f"m{step}")) for step in range(300)]
    with pytest.raises(LimitError, match="at most 10000 cells are kept in memory"):
        read_bytes(tmp_path, wandb_file(RUN, *messages))


# --- damage


def ends_of_records(data: bytes) -> set[int]:
    found, at = {7}, 7
    while at < len(data):
        at += 7 + struct.unpack_from("<IHB", data, at)[1]
        found.add(at)
    return found


SMALL = wandb_file(RUN, *(history(step, item(step / 3, "loss")) for step in range(6)), EXIT)


@pytest.mark.parametrize(
    ("data", "stride"), [(SMALL, 1), (file_of("finished").read_bytes(), 41)], ids=["ours", "theirs"]
)
def test_a_cut_at_any_byte_keeps_what_is_before_it(tmp_path, data, stride):
    (whole,) = read_bytes(tmp_path, data)
    known = [bits(row) for row in records(whole)]
    most = 0
    for end in range(0, len(data), stride):
        try:
            (run,) = read_bytes(tmp_path, data[:end])
        except RunsError:
            assert end < 250  # within the header and the first record
            continue
        assert [bits(row) for row in records(run)] == known[: len(run.history)]
        assert run.state == "crashed"
        assert len(run.history) >= most
        most = len(run.history)
    assert most == len(whole.history)


@pytest.mark.parametrize(
    ("count", "seed"), [(300, 0), pytest.param(5000, 1, marks=pytest.mark.slow)]
)
def test_a_mutated_file_never_reads_differently_without_a_word(tmp_path, count, seed):
    data = file_of("finished").read_bytes()
    whole, ends = points(read_bytes(tmp_path, data)[0]), ends_of_records(data)
    for copy in mutations(data, count, seed):
        try:
            (run,) = read_bytes(tmp_path, copy)
        except (RunsError, LimitError):
            continue
        found = points(run)
        assert found <= whole
        if copy != data and len(copy) in ends and data.startswith(copy):
            assert "no exit record" in run.notes[0]  # as a run that was killed between two records
        elif found != whole:
            assert any("lost" in note or "left out" in note for note in run.notes), run.notes


@pytest.mark.parametrize(
    ("count", "seed"), [(300, 2), pytest.param(5000, 3, marks=pytest.mark.slow)]
)
def test_a_mutated_record_with_a_right_checksum_raises_nothing_else(tmp_path, count, seed):
    draw = random.Random(seed)
    plain = [RUN, history(1, item({"a": [1, {}]}, "x", "y"), item(1.5, "loss")), EXIT]
    plain.append(blob(3, item("NaN", "loss", "acc") + item(1, "z", field=2)))
    for _ in range(count):
        (copy,) = mutations(draw.choice(plain), 1, draw.randrange(1 << 30))
        try:
            read_bytes(tmp_path, wandb_file(RUN, copy, varint(8), EXIT))
        except (RunsError, LimitError):
            pass
