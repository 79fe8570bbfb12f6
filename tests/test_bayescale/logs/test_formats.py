"""What holds for every format of logs, and files written by the real loggers."""

import gzip
import json
import math
import random
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

import bayescale as bs
from bayescale.errors import LimitError, RunsError
from bayescale.logs.formats import FORMATS
from bayescale.logs.formats.lightning import hyperparameters
from bayescale.logs.records import DEEPEST
from bayescale.logs.step_file import StepRows
from tests.test_bayescale.logs.conftest import REFERENCE, WRITERS, small_runs, table

ENDS_ONLY = ("wandb_runs_csv",)
"""Formats that hold one record a run."""


def records(logs: bs.Logs, run: str, metric: str) -> list[tuple[int, float]]:
    history = logs.history(run)
    kept = history.loc[history[metric].notna()]
    return list(zip(kept["step"].astype(int), kept[metric], strict=True))


def unpack(source: Path, target: Path) -> None:
    """Copy files of a real logger, unpacking those that are kept packed."""
    shutil.copytree(source, target)
    for path in [*target.rglob("*.gz")]:
        if path.name.endswith(".tar.gz"):
            with tarfile.open(path) as packed:
                packed.extractall(path.parent, filter="data")
        else:
            path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()


@pytest.fixture(params=[*FORMATS])
def written(request, tmp_path) -> Path:
    """Logs of one format: made here, or by the real logger."""
    if request.param in WRITERS:
        WRITERS[request.param](tmp_path, small_runs())
        return tmp_path
    unpack(REFERENCE / request.param, tmp_path / "logs")
    return tmp_path


def test_every_format_keeps_the_contract_of_a_run(written):
    logs = bs.read_logs(written)
    assert len(logs) > 0
    for run in logs.merged:
        assert run.state in (None, "finished", "crashed", "failed", "killed", "running")
        for part in run.parts:
            history = part.history
            rows = history.to_table() if isinstance(history, StepRows) else history
            assert rows.num_rows == history.num_rows
            assert rows.schema.field("step").type == pa.int64()
            kinds = {field.type for field in rows.schema if field.name != "step"}
            assert kinds <= {pa.float64(), pa.string()}
            assert all(isinstance(v, bool | int | float | str) for v in part.config.values())


@pytest.mark.parametrize("name", [*WRITERS])
def test_what_was_written_is_read_bit_for_bit(name, tmp_path):
    runs = small_runs()
    WRITERS[name](tmp_path, runs)
    logs = bs.read_logs(tmp_path)
    assert {run.format for run in logs.merged} == {name}
    assert sorted(run.name for run in logs.merged) == [run for run, _, _ in runs]
    for run, config, rows in runs:
        for metric in ("train/loss", "val/loss", "lr"):
            wanted = [(row["step"], row[metric]) for row in rows if metric in row]
            assert records(logs, run, metric) == (wanted[-1:] if name in ENDS_ONLY else wanted) or (
                name in ENDS_ONLY and records(logs, run, metric)[0][1] == wanted[-1][1]
            )
        if name != "wandb_chart_csv":  # a chart has no configuration
            held = logs.config.loc[run]
            assert {key: held[key] for key in config} == config


@pytest.mark.parametrize("name", [*WRITERS])
def test_each_format_leads_to_the_same_table(name, tmp_path):
    runs = small_runs()
    WRITERS[name](tmp_path, runs)
    size = {run: 1e5 * (1 + i) for i, (run, _, _) in enumerate(runs)}
    found = bs.read_logs(tmp_path).to_runs(N=size, tokens_per_step=1024).table.set_index("run")
    for run, _, rows in runs:
        assert found.loc[run, "loss"] == rows[-1]["val/loss"]
        assert found.loc[run, "D"] == 20 * 1024
        assert name in ENDS_ONLY or found.loc[run, "schedule"] == "cooled"


# --- fuzzing


def mutated(content: bytes, rng: random.Random) -> bytes:
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(5)
        if kind == 0:
            del data[at:]
        elif kind == 1:
            data[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 2:
            del data[at : at + rng.randrange(1, 40)]
        elif kind == 3:
            data[at:at] = rng.choice(
                (b'"', b"\n", b",", b"{", b"\x00", b"\xff", b"NaN", b"9" * 400)
            )
        else:
            data[at:at] = data[at : at + rng.randrange(1, 200)]
    return bytes(data)


def steps_csv(folder: Path, runs: list) -> None:
    rows = [{"run": name, **row} for name, _, rows in runs for row in rows]
    (folder / "steps.csv").write_text(table(rows), "utf-8")


FUZZED = {name: (name, writer) for name, writer in WRITERS.items()}
FUZZED["step_table as CSV"] = ("step_table", steps_csv)


def fuzz(case: str, folder: Path, times: int) -> None:
    name, writer = FUZZED[case]
    writer(folder, small_runs(2, 12))
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    whole = {path: path.read_bytes() for path in files}
    rng = random.Random(case)
    read = 0
    for _ in range(times):
        path = rng.choice(files)
        path.write_bytes(mutated(whole[path], rng))
        try:
            for one in files:
                for run in () if one.name in FORMATS[name].companions else FORMATS[name].read(one):
                    if isinstance(run.history, StepRows):
                        run.history.to_table()
                    read += 1
        except (RunsError, LimitError):
            pass
        path.write_bytes(whole[path])
    assert read > 0


@pytest.mark.parametrize("name", [*FUZZED])
def test_damaged_files_give_runs_or_our_errors(name, tmp_path):
    fuzz(name, tmp_path, 120)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*FUZZED])
def test_many_damaged_files_give_runs_or_our_errors(name, tmp_path):
    fuzz(name, tmp_path, 5000)


@pytest.mark.parametrize("name", ["json_lines", "trainer_state", "lightning"])
def test_a_file_cut_anywhere_keeps_the_rows_before_the_cut(name, tmp_path):
    WRITERS[name](tmp_path, small_runs(1, 12))
    path = next(
        p
        for p in tmp_path.rglob("*")
        if p.name not in ("config.json", "hparams.yaml") and p.is_file()
    )
    content = path.read_bytes()
    (whole,) = FORMATS[name].read(path)
    for cut in range(len(content) // 2, len(content), 7):
        path.write_bytes(content[:cut])
        (run,) = FORMATS[name].read(path)
        n = run.history.num_rows
        last = n - 1 if name == "lightning" and not run.notes else n  # its last cell may be cut
        for column in run.history.column_names:
            assert (
                run.history[column].to_pylist()[:last] == whole.history[column].to_pylist()[:last]
            )
        ends = content[:cut].endswith(b"\n") or name == "lightning"
        assert run.notes or ends or (name == "json_lines" and content[cut : cut + 1] == b"\n")


# --- files of real loggers


def test_a_trainer_state_is_read_with_its_model():
    logs = bs.read_logs(REFERENCE / "trainer_state")
    runs = logs.runs.set_index("name")
    assert runs.loc["small", "state"] == "finished"
    assert runs.loc["large", "state"] == "running"
    small = next(run for run in logs.merged if run.name == "small")
    assert small.metrics["loss"] == 100
    assert small.metrics["eval_loss"] == 20
    assert "train_loss" not in small.metrics  # the mean over training is no record
    assert small.summary["train_loss"] == 2.5
    table = logs.to_runs().table
    assert table["run"].tolist() == ["small"]
    assert table["D"].tolist() == [2000 * 16 * 1024]
    assert table["N"].tolist() == [12 * 4 * 256**2]


def test_a_lightning_folder_is_read_with_its_hyperparameters():
    logs = bs.read_logs(REFERENCE / "lightning")
    assert [run.name for run in logs.merged] == [
        "lightning_logs/version_0",
        "lightning_logs/version_1",
    ]
    first = logs.merged[0]
    assert first.metrics["val_loss"] == 6
    assert first.metrics["train_loss"] == 31
    assert {"d_model": 128, "model.act": "gelu", "name": "a: b"}.items() <= first.config.items()
    assert "2 lines not of the form 'key: value'" in first.notes[0]
    assert math.isinf(records(logs, "lightning_logs/version_1", "train_loss")[-1][1])
    assert len(logs.to_runs().table) == 2  # no evaluation diverged
    only = logs.to_runs(loss="train_loss")
    assert only.table["run"].tolist() == ["lightning_logs/version_0"]
    assert any("1 diverged run left out" in sentence for sentence in only.provenance)


# --- what each format does with the odd


def test_first_records_nested_keys_and_words_for_numbers(tmp_path):
    lines = [
        {"model": {"n_layer": 2}, "seed": 1},
        {"iter": 0, "loss": {"train": 4.0}, "note": "start"},
        {"iter": 1, "loss": {"train": "NaN"}, "flags": [1, 2], "ok": True},
    ]
    path = tmp_path / "log.jsonl"
    text = "\n".join(map(json.dumps, lines)) + '\n{"iter": 2, "loss": {"train": NaN}}\n\n{"iter": 3'
    path.write_text(text, "utf-8")
    (run,) = FORMATS["json_lines"].read(path)
    assert run.config == {"model.n_layer": 2, "seed": 1}
    assert run.name == tmp_path.name
    assert run.history["step"].to_pylist() == [0, 1, 2]
    np.testing.assert_array_equal(run.history["loss.train"].to_pylist(), [4.0, np.nan, np.nan])
    assert run.notes == (f"{path}: the last line (6) is half written and was left out.",)


def test_damaged_lines_inside_are_counted_and_named(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"step": 1, "loss": 2}\n{"step": 2, "lo\nnull\n{"step": 3, "loss": 1}\n')
    (run,) = FORMATS["json_lines"].read(path)
    assert run.history["step"].to_pylist() == [1, 3]
    assert run.notes == (f"{path}: 2 damaged lines (line 2, 3) were left out.",)


def test_records_that_name_their_run_are_runs_of_their_own(tmp_path):
    path = tmp_path / "all.jsonl"
    lines = [{"run": f"r{i % 2}", "step": i, "loss": float(i)} for i in range(6)]
    path.write_text("\n".join(map(json.dumps, lines)))
    logs = bs.read_logs(path)
    assert records(logs, "r1", "loss") == [(1, 1.0), (3, 3.0), (5, 5.0)]


def test_a_folder_with_a_file_for_each_part_of_the_data_is_one_run(tmp_path):
    for split in ("train", "eval"):
        lines = [json.dumps({"step": i, "loss": i + (split == "eval")}) for i in range(3)]
        (tmp_path / f"{split}.jsonl").write_text("\n".join(lines))
    logs = bs.read_logs(tmp_path)
    assert len(logs) == 1
    assert records(logs, tmp_path.name, "eval/loss") == [(0, 1.0), (1, 2.0), (2, 3.0)]


def test_too_deep_a_record_is_damaged_and_too_many_names_are_refused(tmp_path):
    path = tmp_path / "a.jsonl"
    deep = '{"a": ' * (DEEPEST + 2) + "1" + "}" * (DEEPEST + 2)
    path.write_text('{"step": 1, "loss": 1}\n' + deep + "\n" + "[" * 100_000 + "\n")
    (run,) = FORMATS["json_lines"].read(path)
    assert run.history.num_rows == 1
    path.write_text("\n".join(json.dumps({f"m{i}_{j}": 1 for j in range(1000)}) for i in range(11)))
    with pytest.raises(LimitError, match="more than 10000 different metrics"):
        [*FORMATS["json_lines"].read(path)]


def test_a_line_without_end_is_refused(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"step": 1}\n' + b'{"a": "' + b"x" * (17 << 20))
    with pytest.raises(LimitError, match="line 2 is longer than 16 MB"):
        [*FORMATS["json_lines"].read(path)]


def test_yaml_is_read_as_keys_and_values_only(tmp_path):
    path = tmp_path / "hparams.yaml"
    path.write_text(
        "lr: 0.001\nname: 'a b'\nmodel:\n  width: 64\n  inner:\n    heads: 2\nflag: true\n"
        "none: null\nevil: !!python/object/apply:os.system ['true']\nlist: [1, 2]\n"
        "- item\n\n# word\n"
    )
    found, notes = hyperparameters(path)
    assert found == {
        "lr": 0.001,
        "name": "a b",
        "model.width": 64,
        "model.inner.heads": 2,
        "flag": True,
    }
    assert notes == [f"{path}: 3 lines not of the form 'key: value' were left out."]


def test_a_stray_quote_in_metrics_is_refused_with_its_line(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text('step,epoch,loss\n1,0,2.5\n2,0,"2.4\n3,0,2.3\n4,0,2.2"\n5,0,2.1\n')
    with pytest.raises(RunsError, match="ends on line 5 has a line break in a quoted cell"):
        [*FORMATS["lightning"].read(path)]


def test_charts_warn_of_samples_and_averages_and_take_names_with_dashes(tmp_path):
    path = tmp_path / "chart.csv"
    name = "big - lr 3 - loss"
    path.write_text(
        table([{"Step": i, name: 3.0, f"{name}__MIN": 2.9 + 0.1 * i} for i in range(2)])
    )
    (run,) = FORMATS["wandb_chart_csv"].read(path)
    assert run.name == "big - lr 3"
    assert "holds a sample" in run.notes[0]
    assert "1 columns are averages" in run.notes[1]


def test_a_chart_over_tokens_has_them_as_a_metric(tmp_path):
    path = tmp_path / "chart.csv"
    path.write_text(table([{"tokens": 1e6 * i, "a - loss": 3.0 - i} for i in range(3)]))
    (run,) = FORMATS["wandb_chart_csv"].read(path)
    assert run.history["tokens"].to_pylist() == [0.0, 1e6, 2e6]
    assert run.history["step"].null_count == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("run,step,loss\na,1,3\na,2,x\na,3,2\n", "line 3 is not as the others .column 'loss'"),
        ("run,step,loss\na,1,3\na,2,1,2\na,3,2\n", "line 3 .*4 cells under 3 columns"),
        ('run,step,loss\na,1,3\na,2,"1\na,3,2\n', "line 3 .*a quote is not closed"),
        ("run,step,loss\n", "no whole row"),
        ("run,step,step\na,1,2\n", "'step' is used more than once"),
        ("run,step,loss\na,x,2\n", "no column of numbers that counts steps"),
    ],
)
def test_a_step_table_that_is_damaged_is_refused_with_the_line(tmp_path, text, message):
    path = tmp_path / "steps.csv"
    path.write_text(text)
    with pytest.raises(RunsError, match=message):
        [*FORMATS["step_table"].read(path)]


def test_a_half_written_last_line_of_a_step_table_is_lost_with_a_note(tmp_path):
    path = tmp_path / "steps.csv"
    path.write_text("run,step,loss\na,1,3.5\na,2,2.5\na,3")
    (run,) = FORMATS["step_table"].read(path)
    assert run.history.to_table()["loss"].to_pylist() == [3.5, 2.5]
    assert run.notes == (f"{path}: the last line 4 is half written and was left out.",)


def test_a_parquet_cut_short_is_refused(tmp_path):
    WRITERS["step_table"](tmp_path, small_runs())
    path = tmp_path / "steps.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(RunsError, match="not a complete Parquet file"):
        [*FORMATS["step_table"].read(path)]


def test_a_step_that_is_no_number_is_refused(tmp_path):
    path = tmp_path / "steps.parquet"
    pyarrow.parquet.write_table(pa.table({"step": [1.0, math.inf], "loss": [3.0, 2.0]}), path)
    with pytest.raises(RunsError, match="column 'step' holds a step that is no whole number"):
        [*FORMATS["step_table"].read(path)]


def test_the_file_of_a_step_table_is_all_that_sql_can_reach(tmp_path):
    import duckdb

    from bayescale.logs.step_file import connection

    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    with connection([str(tmp_path / "steps.csv")]) as database:
        with pytest.raises(duckdb.Error, match="disabled"):
            database.execute(f"SELECT * FROM read_csv('{secret}')")
        with pytest.raises(duckdb.Error, match="locked"):
            database.execute("SET enable_external_access = true")


def test_names_of_columns_and_runs_are_no_sql(tmp_path):
    path = tmp_path / "it's.csv"
    name = 'x"); DROP TABLE rows; --'
    rows = [
        {"run": "a'; SELECT 1; --", "step": i, name: float(i), "loss": 3.0 - i} for i in range(3)
    ]
    path.write_text(table(rows))
    logs = bs.read_logs(path)
    assert logs.metrics.set_index("metric").loc[name, "last"] == 2.0
    assert logs.to_runs(N=1e6, tokens_per_step=10).table["loss"].tolist() == [1.0]
