"""MLflow: its database and its file store read to the rows that were logged."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from bayescale.errors import LimitError, RunsError
from bayescale.logs import mlflow_files
from bayescale.logs.formats import FORMATS
from tests.reference.logs.logged import CONFIG, rows
from tests.test_bayescale.logs.trackers import FIXTURES, bits, mutations, read, records, unpacked

RESUMED_AT = 30
PACKED = {"database": "mlflow/mlflow.db.gz", "files": "mlflow/mlruns.tar.gz"}


@pytest.fixture(scope="module")
def stores(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("mlflow")
    return {kind: unpacked(name, folder) for kind, name in PACKED.items()}


def expected(count: int, seed: int = 0, start: int = 0) -> list[dict]:
    return [
        bits({"step": step, **row}) for step, row in enumerate(rows(count, seed)) if step >= start
    ]


# --- what MLflow writes


@pytest.mark.parametrize("kind", PACKED)
def test_runs_read_to_the_rows_that_were_logged_bit_for_bit(stores, kind):
    runs = {run.name.partition(" (")[0]: run for run in read("mlflow", stores[kind])}
    assert list(runs) == ["finished", "failed", "killed", "restarted"]
    for name, rest in {
        "finished": expected(20),
        "failed": expected(20),
        "killed": expected(60),
        "restarted": expected(60) + expected(60, 1, RESUMED_AT),
    }.items():
        assert [bits(row) for row in records(runs[name], "timestamp")] == rest
        assert runs[name].config == {
            **CONFIG,
            "tags.purpose": "a \N{SNOWMAN}",
            "experiment": "fixtures",
        }
    assert {name: run.state for name, run in runs.items()} == {
        "finished": "finished",
        "failed": "failed",
        "killed": "running",
        "restarted": "finished",
    }
    assert min(runs["killed"].history["timestamp"].to_pylist()) > 1.7e12
    assert "also says of a run that was killed" in runs["killed"].notes[0]
    assert runs["finished"].summary == {**rows(20)[-1], "eval/loss": rows(20)[15]["eval/loss"]}


@pytest.mark.parametrize("kind", PACKED)
def test_deleted_runs_are_left_out_with_a_word(stores, kind):
    first, *others = read("mlflow", stores[kind])
    assert any("1 deleted run left out" in note for note in first.notes)
    assert not any("deleted" in note for run in others for note in run.notes)


def test_databases_stores_experiments_and_runs_are_claimed(stores):
    claims = FORMATS["mlflow"].claims
    assert claims(stores["database"])
    (experiment,) = (f for f in stores["files"].iterdir() if len(f.name) > 2 and f.name[0] != ".")
    run = next(folder for folder in experiment.iterdir() if folder.is_dir())
    for folder in (stores["files"], experiment, run):
        assert claims(folder)
        assert read("mlflow", folder)
    assert not claims(stores["files"].parent)
    assert not claims(FIXTURES)
    assert not claims(FIXTURES / "logged.py")


# --- the database


def changed(stores, folder: Path, *statements: str) -> Path:
    path = folder / "mlflow.db"
    shutil.copy(stores["database"], path)
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return path


def test_infinities_and_nan_come_back(stores, tmp_path):
    path = changed(stores, tmp_path, "DELETE FROM runs WHERE name != 'finished'")
    (run,) = read("mlflow", path)
    assert run.history["grad_norm"].to_pylist()[7] == float("inf")
    loss = run.history["loss"].to_pylist()[7]
    assert loss != loss


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("DELETE FROM runs", "holds no run of MLflow"),
        ("UPDATE runs SET lifecycle_stage = 'deleted'", "5 deleted runs are left out"),
        ("UPDATE experiments SET lifecycle_stage = 'deleted'", "5 deleted runs are left out"),
        ("DROP TABLE metrics", r"without the tables of MLflow \(metrics.is_nan\)"),
        ("ALTER TABLE metrics RENAME COLUMN step TO at", r"of MLflow \(metrics.step\)"),
        ("UPDATE runs SET name = CAST(x'ff' AS TEXT)", "is not UTF-8"),
    ],
)
def test_a_database_without_what_is_needed_is_refused(stores, tmp_path, statement, why):
    with pytest.raises(RunsError, match=why):
        read("mlflow", changed(stores, tmp_path, statement))


def test_a_point_that_is_no_number_is_counted(stores, tmp_path):
    path = changed(
        stores,
        tmp_path,
        "DELETE FROM runs WHERE name != 'finished'",
        "UPDATE metrics SET value = 'much' WHERE step = 3 AND key = 'loss'",
    )
    (run,) = read("mlflow", path)
    assert "1 points are not numbers and are left out" in run.notes[0]
    assert run.history["loss"].null_count == 1


@pytest.mark.parametrize(
    ("count", "seed"), [(300, 0), pytest.param(5000, 1, marks=pytest.mark.slow)]
)
def test_a_mutated_database_raises_nothing_else(stores, tmp_path, count, seed):
    """A small database: SQLite looks at every page of it each time."""
    path = changed(
        stores,
        tmp_path,
        *(f"DROP TABLE {table}" for table in _others(stores["database"])),
        "DELETE FROM metrics WHERE step > 5",
    )
    connection = sqlite3.connect(path)
    connection.execute("VACUUM")
    connection.close()
    data = path.read_bytes()
    assert read("mlflow", path)
    for copy in mutations(data, count, seed):
        path.write_bytes(copy)
        try:
            FORMATS["mlflow"].claims(path)
            read("mlflow", path)
        except (RunsError, LimitError):
            pass


def _others(path: Path) -> list[str]:
    kept = {"runs", "metrics", "params", "tags", "latest_metrics", "experiments"}
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA foreign_keys = OFF")
    names = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    ).fetchall()
    connection.close()
    return [name for (name,) in names if name not in kept]


# --- the file store


def stored(folder: Path, meta: str = "", metrics: dict[str, str] | None = None) -> Path:
    run = folder / "mlruns" / "1" / "abcd"
    (run / "metrics").mkdir(parents=True)
    (run.parent / "meta.yaml").write_text("artifact_location: a\nname: exp\n")
    about = "lifecycle_stage: active\nrun_id: abcd\nrun_name: small\nstatus: 3\n"
    (run / "meta.yaml").write_text(about + meta, "utf-8")
    for name, text in (metrics or {"loss": "1 2.5 0\n"}).items():
        (run / "metrics" / name).write_text(text)
    return folder / "mlruns"


def test_what_is_no_point_is_counted_and_a_half_line_is_lost(tmp_path):
    text = "1 2.5 0\n2 x 1\n3 1e-3 2\n\n4 nan 3 data digest\n5 -inf 4\n6 7.5 5"
    (run,) = read("mlflow", stored(tmp_path, metrics={"loss": text}))
    values = dict(zip(*(run.history[name].to_pylist() for name in ("step", "loss")), strict=True))
    assert {k: v for k, v in values.items() if k != 3} == {0: 2.5, 2: 0.001, 4: -float("inf")}
    assert "ends within a record (7 bytes" in run.notes[0]
    assert "2 lines are not 'time value step'" in run.notes[1]


def test_batches_of_one_millisecond_are_records_of_their_own(tmp_path):
    metrics = {"a": "5 1 0\n5 2 1\n5 3 2\n", "b": "5 4 2\n"}
    (run,) = read("mlflow", stored(tmp_path, metrics=metrics))
    assert records(run, "timestamp") == [
        {"step": 0, "a": 1.0},
        {"step": 1, "a": 2.0},
        {"step": 2, "a": 3.0, "b": 4.0},
    ]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("key: plain text: with colon", "plain text: with colon"),
        ("key: 'it''s'", "it's"),
        ('key: "a \\"b\\" \\x41\\u2603\\U0001F600\\n"', 'a "b" A\N{SNOWMAN}\U0001f600\n'),
        ("key: long text\n  that goes on", "long text that goes on"),
        ("key: null", ""),
        ("key:", ""),
        ("key: []\n- item", "[]"),
    ],
)
def test_lines_of_meta_are_read_as_mlflow_writes_them(tmp_path, line, value):
    (tmp_path / "meta.yaml").write_text(f"first: 1\n{line}\nlast: 2\n", "utf-8")
    assert mlflow_files.described(tmp_path / "meta.yaml") == {
        "first": "1",
        "key": value,
        "last": "2",
    }


def test_a_run_with_damaged_meta_is_named(tmp_path):
    store = stored(tmp_path)
    for name, meta in {"broken": "run_id abcd\n", "lost": None, "bytes": b"\xff"}.items():
        (store / "1" / name / "metrics").mkdir(parents=True)
        if meta is not None:
            data = meta if isinstance(meta, bytes) else meta.encode()
            (store / "1" / name / "meta.yaml").write_bytes(data)
    (run,) = read("mlflow", store)
    damaged = " ".join(run.notes)
    assert "is no line of the form key: value" in damaged
    assert "has metrics but no meta.yaml" in damaged
    assert "not UTF-8" in damaged


def test_a_store_without_runs_and_a_huge_one_are_refused(tmp_path, monkeypatch):
    with pytest.raises(RunsError, match="holds no run of MLflow"):
        read("mlflow", tmp_path)
    with pytest.raises(RunsError, match="1 deleted runs are left out"):
        read("mlflow", stored(tmp_path, meta="lifecycle_stage: deleted\n"))
    monkeypatch.setattr(mlflow_files, "_MOST_POINTS", 5)
    with pytest.raises(LimitError, match="larger than 5 bytes"):
        read("mlflow", stored(tmp_path / "other"))


@pytest.mark.parametrize(
    ("count", "seed"), [(300, 0), pytest.param(5000, 1, marks=pytest.mark.slow)]
)
def test_a_mutated_file_of_the_store_raises_nothing_else(tmp_path, count, seed):
    text = "".join(f"{step} {step / 3} {step}\n" for step in range(9))
    store = stored(tmp_path, metrics={"loss": text})
    for name in ("metrics/loss", "meta.yaml", "../meta.yaml"):
        path = store / "1" / "abcd" / name
        data = path.read_bytes()
        for copy in mutations(data, count // 3, seed):
            path.write_bytes(copy)
            try:
                read("mlflow", store)
            except (RunsError, LimitError):
                pass
        path.write_bytes(data)
