"""From paths to runs: what claims what, what is joined, and what is said."""

import json
import os
import shutil
from pathlib import Path

import pyarrow as pa
import pytest

import bayescale as bs
from bayescale.errors import LimitError, RunsError, UsageError
from bayescale.logs import read_logs as reading
from bayescale.logs.formats import FORMATS
from bayescale.logs.merged_run import merge
from bayescale.logs.run_log import RunLog
from tests.test_bayescale.logs.conftest import REFERENCE, WRITERS, small_runs


def lines(path: Path, steps: range, value: float = 0.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps({"step": i, "loss": i + value}) for i in steps))
    return path


def log(name: str, first: int, **options) -> RunLog:
    steps = pa.array(range(first, first + 3), pa.int64())
    return RunLog(name, f"file{first}", pa.table({"step": steps}), **options)


def test_a_folder_of_every_format_is_claimed_by_one_format_each(tmp_path):
    for name, writer in WRITERS.items():
        (tmp_path / name).mkdir()
        writer(tmp_path / name, small_runs(2))
    for path in tmp_path.rglob("*"):
        claims = [name for name, one in FORMATS.items() if one.claims(path)]
        assert len(claims) <= 1, (path, claims)
    logs = bs.read_logs(tmp_path)
    assert {run.format for run in logs.merged} == {*WRITERS}
    assert len(logs) == 2 * len(WRITERS)


@pytest.mark.parametrize("folder", [p.name for p in REFERENCE.iterdir() if p.is_dir()])
def test_files_of_real_loggers_are_claimed_by_one_format_each(folder):
    for path in (REFERENCE / folder).rglob("*"):
        claims = [name for name, one in FORMATS.items() if one.claims(path)]
        assert len(claims) <= 1, (path, claims)


def test_files_folders_patterns_and_lists_are_read(tmp_path):
    for name in ("a", "b/c", "b/d/e"):
        lines(tmp_path / f"{name}.jsonl", range(3))
    assert len(bs.read_logs(tmp_path / "a.jsonl")) == 1
    assert len(bs.read_logs(str(tmp_path))) == 3
    assert len(bs.read_logs(f"{tmp_path}/**/*.jsonl")) == 3
    assert len(bs.read_logs(f"{tmp_path}/b/*")) == 2
    both = bs.read_logs([tmp_path / "a.jsonl", tmp_path / "b", f"{tmp_path}/*.jsonl"])
    assert repr(both) == "Logs(3 runs, 9 records: json_lines)"


def test_what_no_format_claims_is_said(tmp_path):
    lines(tmp_path / "a.jsonl", range(3))
    (tmp_path / "model.pt").write_bytes(b"\x80\x02")
    (tmp_path / "README").write_text("words")
    logs = bs.read_logs(tmp_path)
    assert len(logs) == 1
    assert (
        "2 files are no log in a known format and were not read (1 .pt, 1 no ending"
        in logs.notes[0]
    )


def test_among_many_files_one_that_cannot_be_read_is_named(tmp_path):
    lines(tmp_path / "a.jsonl", range(3))
    (tmp_path / "steps.csv").write_text("run,step,loss\na,1,2\na,2,3,4\na,3,2\n")
    logs = bs.read_logs(tmp_path)
    assert [run.name for run in logs.merged] == ["a"]
    assert any("line 3 is not as the others" in note for note in logs.notes)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("missing.jsonl", "there is no file or folder"),
        ("*.jsonl", "nothing matches"),
        ("", "no logs in .* formats that are read"),
    ],
)
def test_nothing_to_read_is_said(tmp_path, source, message):
    with pytest.raises(RunsError, match=message):
        bs.read_logs(f"{tmp_path}/{source}")


def test_an_unknown_format_is_refused_and_a_given_one_is_taken(tmp_path):
    with pytest.raises(UsageError, match="no format of logs called 'json'"):
        bs.read_logs(tmp_path, format="json")
    path = lines(tmp_path / "odd.data", range(3))
    with pytest.raises(RunsError, match="no logs in"):
        bs.read_logs(path)
    assert len(bs.read_logs(path, format="json_lines")) == 1


def test_too_many_entries_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MOST_ENTRIES", 2)
    for name in "abc":
        lines(tmp_path / f"{name}.jsonl", range(2))
    with pytest.raises(LimitError, match="holds more than 2 files"):
        bs.read_logs(tmp_path)


def test_a_link_that_leads_back_up_ends(tmp_path):
    lines(tmp_path / "below" / "a.jsonl", range(3))
    os.symlink(tmp_path, tmp_path / "below" / "up")
    assert len(bs.read_logs(tmp_path)) == 1


# --- joining


def test_a_run_resumed_from_a_checkpoint_is_one_run(tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(
        REFERENCE / "trainer_state" / "large" / "checkpoint-700", folder / "checkpoint-700"
    )
    shutil.copytree(
        REFERENCE / "trainer_state" / "small" / "checkpoint-2000", folder / "checkpoint-2000"
    )
    logs = bs.read_logs(tmp_path)
    (run,) = logs.merged
    assert [Path(part.source).parent.name for part in run.parts] == [
        "checkpoint-700",
        "checkpoint-2000",
    ]
    assert run.state == "finished"
    assert "logged in 2 parts" in logs.notes[-1]
    assert "the last write of a step wins" in logs.notes[-1]
    wanted = bs.read_logs(REFERENCE / "trainer_state" / "small").to_runs().loss
    assert logs.to_runs(N=1e6).loss.tolist() == wanted.tolist()


def test_files_of_one_name_in_several_folders_are_runs_of_their_own(tmp_path):
    for folder in ("lr1", "lr2"):
        lines(tmp_path / folder / "seed0.jsonl", range(3))
    logs = bs.read_logs(tmp_path)
    assert len(logs) == 2
    assert len({run.name for run in logs.merged}) == 2
    assert "1 name is that of several runs ('seed0')" in logs.notes[-1]


def test_parts_of_a_table_of_steps_are_joined_by_run(tmp_path):
    for part, first in ((2, 1), (10, 4)):  # in the order of numbers, not of letters
        rows = [f"a,{i},{part}.{i}" for i in range(first, first + 4)]
        (tmp_path / f"part-{part}.csv").write_text("run,step,loss\n" + "\n".join(rows) + "\n")
    logs = bs.read_logs(tmp_path)
    runs = logs.to_checkpoints(N=1e6, tokens_per_step=1)
    assert runs.loss.tolist() == [2.1, 2.2, 2.3, 10.4, 10.5, 10.6, 10.7]


@pytest.mark.parametrize(
    ("logs", "runs"),
    [
        ([log("a", 0), log("a", 5)], 1),  # goes on
        ([log("a", 0), log("a", 0)], 2),  # begins anew
        ([log("a", 0, config={"lr": 1}), log("a", 5, config={"lr": 2})], 2),  # set up otherwise
        ([log("a", 0, identity="x"), log("b", 0, identity="x")], 1),
        ([log("a", 0, identity="x"), log("a", 5, identity="y")], 2),
    ],
)
def test_logs_are_one_run_by_identity_or_where_nothing_speaks_against_it(logs, runs):
    assert len(merge(("toy", one) for one in logs)[0]) == runs


# --- what Logs tells


def test_a_table_carries_only_the_first_of_many_notes(tmp_path):
    for number in range(30):
        path = lines(tmp_path / f"r{number}.jsonl", range(1, 4))
        path.write_text(path.read_text() + '\n{"st')
    logs = bs.read_logs(tmp_path)
    assert len(logs.notes) == 30
    provenance = logs.to_runs(N=1e6, tokens_per_step=1, states="any").provenance
    assert sum("half written" in sentence for sentence in provenance) == 20
    assert provenance[-1] == "10 further notes are in Logs.notes."


def test_logs_describe_runs_metrics_and_configuration(tmp_path):
    WRITERS["json_lines"](tmp_path, small_runs(3))
    logs = bs.read_logs(tmp_path)
    assert [*logs.runs.columns] == ["name", "state", "records", "steps", "format", "source"]
    assert logs.runs["steps"].tolist() == [20, 20, 20]
    metrics = logs.metrics.set_index("metric")
    assert metrics.loc["val/loss", "runs"] == 3
    assert metrics.loc["val/loss", "records"] == 12
    medians = [logs.history(run.name)["val/loss"].dropna().iloc[-1] for run in logs.merged]
    assert metrics.loc["val/loss", "last"] == sorted(medians)[1]
    assert logs.config["n_embd"].tolist() == [64, 128, 192]
    with pytest.raises(UsageError, match="there is no run 'run-9'"):
        logs.history("run-9")
