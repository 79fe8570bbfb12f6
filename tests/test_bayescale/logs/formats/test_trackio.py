"""Trackio: its databases read to the rows that were logged."""

import json
import sqlite3
from pathlib import Path

import pytest

from bayescale.errors import LimitError, RunsError
from bayescale.logs.formats import FORMATS
from tests.reference.logs.logged import CONFIG, rows
from tests.test_bayescale.logs.trackers import FIXTURES, bits, mutations, read, records, unpacked

RESUMED_AT = 30
OWN = ("timestamp", "text", "deep.er")


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    return unpacked("trackio/fixtures.db.gz", tmp_path_factory.mktemp("trackio"))


def expected(count: int, seed: int = 0, start: int = 0) -> list[dict]:
    return [
        bits({"step": step, **row}) for step, row in enumerate(rows(count, seed)) if step >= start
    ]


def made(path: Path, *records: tuple, run_id: bool = False, config: str | None = "{}") -> Path:
    """A database as Trackio makes it; its first version had no ids of runs."""
    connection = sqlite3.connect(path)
    key = "run_id TEXT, " if run_id else ""
    connection.execute(
        f"CREATE TABLE metrics (id INTEGER PRIMARY KEY, {key}timestamp TEXT, run_name TEXT, "
        "step INTEGER, metrics TEXT)"
    )
    connection.execute(f"CREATE TABLE configs (id INTEGER PRIMARY KEY, {key}run_name, config TEXT)")
    for number, record in enumerate(records):
        marks = ", ".join("?" * (len(record) + 1))
        connection.execute(f"INSERT INTO metrics VALUES ({marks})", (number, *record))
        if not number and not run_id:
            connection.execute("INSERT INTO configs VALUES (0, ?, ?)", (record[1], config))
    connection.commit()
    connection.close()
    return path


# --- what Trackio writes


def test_runs_read_to_the_rows_that_were_logged_bit_for_bit(project):
    runs = {run.name: run for run in read("trackio", project)}
    assert list(runs) == ["fixtures/finished", "fixtures/restarted", "fixtures/killed"]
    for name, rest in {
        "finished": expected(20),
        "restarted": expected(60) + expected(60, 1, RESUMED_AT),
        "killed": expected(60),
    }.items():
        run = runs[f"fixtures/{name}"]
        assert [bits(row) for row in records(run, *OWN)] == rest
        assert run.config == {**CONFIG, "model.width": 64}
        assert run.state is None
        assert run.notes == ()
    last = records(runs["fixtures/finished"])[-1]
    assert last["text"] == "a \N{SNOWMAN}"
    assert last["deep.er"] == 19.0
    assert last["timestamp"].startswith("20")


def test_databases_with_its_tables_are_claimed(project, tmp_path):
    claims = FORMATS["trackio"].claims
    assert claims(project)
    assert not claims(FIXTURES / "logged.py")
    assert not claims(project.parent)
    assert not claims(unpacked("mlflow/mlflow.db.gz", tmp_path))
    assert not FORMATS["mlflow"].claims(project)


def test_runs_of_one_name_are_told_apart_by_their_ids(tmp_path):
    records_ = [(f"{key}{'0' * 20}", "t", "small", 0, '{"a": 1}') for key in ("first", "second")]
    path = made(tmp_path / "p.db", *records_, run_id=True)
    assert [run.name for run in read("trackio", path)] == [
        "p/small (first000)",
        "p/small (second00)",
    ]


def test_the_first_version_without_ids_is_read(tmp_path):
    path = made(
        tmp_path / "p.db",
        ("t", "small", 0, '{"loss": "NaN", "step": 5}'),
        ("t", "small", 0, b'{"loss": "-Infinity", "timestamp": 3}'),
        config='{"lr": 0.1, "_own": 1, "top": {"_inner": 2}}',
    )
    (run,) = read("trackio", path)
    first, second = records(run)
    assert first["loss"] != first["loss"]
    assert first["logged_step"] == 5.0
    assert second == {"step": 0, "loss": -float("inf"), "timestamp": 3.0}
    assert run.config == {"lr": 0.1, "top._inner": 2}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "Expecting property name"),
        ("[1]", "not an object"),
        (None, "Expecting value"),
        (b'{"a": "\xff"}', "not UTF-8"),
        ('{"a": ' * 20_000, "nested too deep"),
    ],
)
def test_a_damaged_record_or_config_is_told(tmp_path, text, why):
    whole = ("t", "small", 1, json.dumps({"loss": 2.5}))
    path = made(tmp_path / "p.db", whole, ("t", "small", 0, text), config=text)
    (run,) = read("trackio", path)
    assert records(run, "timestamp") == [{"step": 1, "loss": 2.5}]
    assert f"the config of a run is damaged ({why}" in run.notes[0]
    assert f"1 records are damaged ({why}" in run.notes[1]


# --- what is refused


def test_other_databases_and_empty_ones_are_refused(tmp_path):
    sqlite3.connect(tmp_path / "a.db").execute("CREATE TABLE metrics (x)").connection.close()
    with pytest.raises(RunsError, match="without the tables of Trackio"):
        read("trackio", tmp_path / "a.db")
    with pytest.raises(RunsError, match="without a run that logged"):
        read("trackio", made(tmp_path / "b.db"))


@pytest.mark.parametrize(
    ("count", "seed"), [(300, 0), pytest.param(5000, 1, marks=pytest.mark.slow)]
)
def test_a_mutated_database_raises_nothing_else(tmp_path, count, seed):
    path = made(
        tmp_path / "p.db",
        *(("t", f"run{k % 3}", k, json.dumps({"loss": k / 3, "x": {"y": "z"}})) for k in range(99)),
    )
    data = path.read_bytes()
    for copy in mutations(data, count, seed):
        path.write_bytes(copy)
        try:
            FORMATS["trackio"].claims(path)
            read("trackio", path)
        except (RunsError, LimitError):
            pass
