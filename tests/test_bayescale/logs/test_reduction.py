"""From histories to one number a run, against plain NumPy; in memory and in a file alike."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayescale as bs
from bayescale.errors import LimitError, RunsError, UsageError
from bayescale.logs import reduction
from tests.test_bayescale.logs.conftest import WRITERS, small_runs

FINALS = {"N": 1e6, "tokens_per_step": 100.0}


def history(seed: int, steps: int = 300) -> pd.DataFrame:
    """Two runs, one resumed twice with steps written again; some losses missing or not finite."""
    rng = np.random.default_rng(seed)
    parts = []
    for run, spans in {"a": [(1, steps)], "b": [(1, 200), (150, 260), (120, steps)]}.items():
        for first, last in spans:
            step = np.arange(first, last)
            loss = 2 + 5 / np.sqrt(step) + 0.05 * rng.normal(size=len(step))
            loss[rng.random(len(step)) < 0.1] = np.nan
            parts.append(pd.DataFrame({"run": run, "step": step, "loss": loss}))
    return pd.concat(parts, ignore_index=True)


def written(table: pd.DataFrame, folder: Path, kind: str) -> Path:
    path = folder / f"steps.{kind}"
    if kind == "csv":
        table.to_csv(path, index=False)
    elif kind == "parquet":
        table.to_parquet(path, index=False)
    else:
        rows = table.to_dict(orient="records")
        lines = [{k: v for k, v in row.items() if v == v} for row in rows]
        path.write_text("\n".join(map(json.dumps, lines)))
    return path


def expected(table: pd.DataFrame, run: str, rule: str) -> float:
    own = table.loc[(table["run"] == run) & table["loss"].notna()]
    own = own.drop_duplicates("step", keep="last").sort_values("step")
    step, loss = own["step"].to_numpy(), own["loss"].to_numpy()
    if rule == "smooth":
        weight = 0.5 ** ((step[-1] - step) / 25.0)
        return float(np.sum(weight * loss) / np.sum(weight))
    return float({"last": loss[-1], "min": loss.min(), "mean_last": loss[-7:].mean()}[rule])


RULES = {
    "last": {},
    "min": {"which": "min"},
    "mean_last": {"which": "mean_last", "k": 7},
    "smooth": {"smooth": 25},
}


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
@pytest.mark.parametrize("rule", [*RULES])
def test_a_rule_gives_what_numpy_gives_and_the_last_write_wins(tmp_path, kind, rule):
    table = history(seed=3)
    runs = bs.read_logs(written(table, tmp_path, kind)).to_runs(**FINALS, **RULES[rule])
    found = runs.table.set_index("run")["loss"]
    for run in ("a", "b"):
        assert found[run] == pytest.approx(expected(table, run, rule), rel=1e-12)
    assert "1 run logged steps twice; the last write of a step was taken." in runs.provenance


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_checkpoints_are_each_step_once_in_order(tmp_path, kind):
    table = history(seed=4)
    runs = bs.read_logs(written(table, tmp_path, kind)).to_checkpoints(**FINALS)
    wanted = table.loc[table["loss"].notna()].drop_duplicates(["run", "step"], keep="last")
    wanted = wanted.sort_values(["run", "step"])
    np.testing.assert_array_equal(runs.loss, wanted["loss"])
    np.testing.assert_array_equal(runs.column("D"), 100.0 * wanted["step"])


def test_interleaved_runs_of_a_file_are_told_apart(tmp_path):
    table = history(seed=5).sort_values("step", kind="stable")
    found = bs.read_logs(written(table, tmp_path, "parquet")).to_runs(**FINALS).table
    for run, loss in zip(found["run"], found["loss"], strict=True):
        assert loss == expected(table, run, "last")


def test_ten_thousand_points_are_all_read(tmp_path):
    rows = [{"step": i, "loss": 3 + 1 / (1 + i)} for i in range(30_000)]
    path = tmp_path / "long.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    logs = bs.read_logs(path)
    assert logs.runs["records"].tolist() == [30_000]
    assert logs.to_runs(**FINALS, which="min").loss[0] == rows[-1]["loss"]


def one_run(folder: Path, rows: list[dict], config: dict | None = None, name: str = "a") -> Path:
    lines = [{"config": config}] * bool(config) + rows
    (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return folder


def steps(values: list[float], name: str = "loss") -> list[dict]:
    return [{"step": i + 1, name: value} for i, value in enumerate(values)]


def said(runs: bs.Runs, words: str) -> bool:
    return any(words in sentence for sentence in runs.provenance)


# --- which metric


def test_evaluation_is_preferred_over_training_and_said(tmp_path):
    one_run(tmp_path, [{"step": 1, "train/loss": 2.0, "eval/loss": 2.5, "eval/aux_loss": 9.0}])
    runs = bs.read_logs(tmp_path).to_runs(**FINALS)
    assert runs.loss.tolist() == [2.5]
    assert said(runs, "The evaluation loss is taken to be 'eval/loss', by its name.")


def test_two_metrics_that_fit_equally_are_refused_with_the_argument_that_chooses(tmp_path):
    one_run(tmp_path, [{"step": 1, "eval/c4/loss": 2.0, "eval/wiki/loss": 2.5, "loss": 1.0}])
    logs = bs.read_logs(tmp_path)
    with pytest.raises(
        RunsError, match=r"'eval/c4/loss' and 'eval/wiki/loss' could both be.*loss="
    ):
        logs.to_runs(**FINALS)
    assert logs.to_runs(**FINALS, loss="eval/wiki/loss").loss.tolist() == [2.5]


def test_no_loss_and_a_misspelt_one_are_refused_with_what_there_is(tmp_path):
    one_run(tmp_path, [{"step": 1, "accuracy": 0.5}])
    logs = bs.read_logs(tmp_path)
    with pytest.raises(RunsError, match=r"no metric is called like a loss.*'accuracy'"):
        logs.to_runs(**FINALS)
    with pytest.raises(RunsError, match=r"no run has a metric 'acuracy'. Did you mean 'accuracy'"):
        logs.to_runs(**FINALS, loss="acuracy")


def test_a_training_loss_is_taken_where_few_runs_were_evaluated(tmp_path):
    for name in "abcd":
        one_run(tmp_path, steps([3.0, 2.0]), name=name)
    one_run(tmp_path, [{"step": 1, "val_loss": 9.0, "loss": 1.0}], name="e")
    runs = bs.read_logs(tmp_path).to_runs(**FINALS)
    assert runs.loss.tolist() == [2.0, 2.0, 2.0, 2.0, 1.0]
    assert said(runs, "Only 1 of 5 runs log 'val_loss'.")


def test_runs_without_the_loss_are_left_out_and_named(tmp_path):
    for name, metric in (("a", "loss"), ("b", "loss"), ("c", "accuracy")):
        one_run(tmp_path, steps([3.0, 2.0], metric), name=name)
    runs = bs.read_logs(tmp_path).to_runs(**FINALS)
    assert runs.table["run"].tolist() == ["a", "b"]
    assert said(runs, "1 run has no record of it ('c'), left out.")


# --- which runs


def test_diverged_runs_are_left_out_unless_asked_for(tmp_path):
    one_run(tmp_path, steps([9.0, 3.0, 2.5]), name="good")
    one_run(tmp_path, steps([9.0, 3.0, 8.5]), name="spike")
    one_run(tmp_path, steps([9.0, 3.0, math.nan]), name="nan")
    logs = bs.read_logs(tmp_path)
    runs = logs.to_runs(**FINALS)
    assert runs.table["run"].tolist() == ["good"]
    assert said(runs, "2 diverged runs left out")
    assert said(runs, "'spike: 8.5 after 3'")
    assert logs.to_runs(**FINALS, states="any").table["run"].tolist() == ["good", "spike"]


def test_a_noisy_run_that_overfits_a_little_is_no_diverged_run(tmp_path):
    one_run(tmp_path, steps([9.0, 3.0, 2.5, 2.9]))
    assert len(bs.read_logs(tmp_path).to_runs(**FINALS)) == 1


def test_crashed_and_unfinished_runs_are_left_out_unless_asked_for(tmp_path):
    WRITERS["wandb_runs_csv"](tmp_path, small_runs(3))
    path = tmp_path / "runs.csv"
    path.write_text(path.read_text().replace("run-1,finished", "run-1,crashed"))
    (tmp_path / "more").mkdir()
    one_run(tmp_path / "more", steps([3.0, 2.0], "val/loss"), {"max_steps": 10}, "short")
    logs = bs.read_logs(tmp_path)
    runs = logs.to_runs(**FINALS)
    assert runs.table["run"].tolist() == ["run-0", "run-2"]
    assert said(runs, "1 crashed run was left out ('run-1').")
    assert said(runs, "1 unfinished run was left out ('short: step 2 of 10').")
    assert len(logs.to_runs(**FINALS, states="any")) == 4
    assert len(logs.to_runs(**FINALS, states=("crashed",), which="min")) == 1


def test_a_table_without_any_run_left_says_why(tmp_path):
    one_run(tmp_path, steps([3.0, math.nan]))
    with pytest.raises(RunsError, match=r"no run is left for the table.*1 diverged run left out"):
        bs.read_logs(tmp_path).to_runs(**FINALS)


# --- N and D


SHAPE = {"n_layer": 4, "n_embd": 128, "n_head": 4}


@pytest.mark.parametrize(
    ("config", "size", "words"),
    [
        ({"num_params": "124M"}, 124e6, "does not say whether embeddings"),
        ({"non_embedding_params": 5e5}, 5e5, "without embeddings"),
        (SHAPE, 12 * 4 * 128**2, "counted from the shape"),
        ({"model": {**SHAPE, "intermediate_size": 256, "hidden_act": "silu"}},
         4 * (4 * 128**2 + 3 * 128 * 256), "gated feed-forward"),
        ({**SHAPE, "n_kv_heads": 1}, 4 * (10 * 128**2 + 2 * 128 * 32), "1 key-value heads"),
    ],
)  # fmt: skip
def test_sizes_are_named_or_counted_from_the_shape(tmp_path, config, size, words):
    one_run(tmp_path, steps([3.0, 2.0]), config)
    runs = bs.read_logs(tmp_path).to_runs(tokens_per_step=10)
    assert runs.column("N").tolist() == [size]
    assert said(runs, words)


def test_two_sizes_leave_n_open_and_name_both(tmp_path):
    one_run(tmp_path, steps([3.0, 2.0]), {"n_params": 2e6, "non_embedding_params": 1e6})
    logs = bs.read_logs(tmp_path)
    runs = logs.to_runs(tokens_per_step=10)
    assert "N" not in runs.table
    assert said(runs, "'n_params' and 'non_embedding_params' could both be N")
    assert logs.to_runs(N="n_params", tokens_per_step=10).column("N").tolist() == [2e6]


@pytest.mark.parametrize(
    ("config", "tokens"),
    [
        ({"batch_size": 4, "block_size": 16}, 64),
        ({"batch_size": 4, "seq_len": 16, "gradient_accumulation_steps": 2}, 128),
        ({"train": {"batch_size": 4, "seq_len": 16}, "eval": {"batch_size": 99}}, 64),
        ({"global_batch_size": 32, "batch_size": 4, "world_size": 8, "seq_len": 16}, 512),
        (
            {"micro_batch_size": 4, "world_size": 2, "seq_length": 16, "grad_accum": 3},
            384,
        ),
        ({"tokens_per_step": 77}, 77),
    ],
)
def test_tokens_are_the_step_times_what_the_configuration_says(tmp_path, config, tokens):
    one_run(tmp_path, steps([3.0, 2.5, 2.0]), config)
    runs = bs.read_logs(tmp_path).to_runs(N=1e6)
    assert runs.column("D").tolist() == [3 * tokens]
    assert said(runs, "D is step x tokens a step")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"batch_size": 4, "world_size": 8, "seq_len": 16}, "one of the 8 processes"),
        ({"per_device_train_batch_size": 4, "seq_len": 16}, "no key gives their number"),
        ({"batch_size": 4}, "no key gives the tokens of a sequence"),
        ({"seq_len": 4}, "no key gives the batch"),
        ({"total_batch_size": 524288, "max_seq_len": 2048}, "may be in tokens already"),
    ],
)
def test_tokens_that_two_readings_fit_are_left_open(tmp_path, config, words):
    one_run(tmp_path, steps([3.0, 2.0]), config)
    runs = bs.read_logs(tmp_path).to_runs(N=1e6)
    assert "D" not in runs.table
    assert said(runs, words)


def test_a_counter_of_tokens_counts_up_to_the_step_of_the_loss(tmp_path):
    rows = [{"step": i, "tokens_seen": 50 * i} for i in range(1, 41)]
    rows += [{"step": i, "val_loss": abs(i - 20) / 100 + 2} for i in (10, 20, 30)]
    one_run(tmp_path, rows)
    logs = bs.read_logs(tmp_path)
    assert logs.to_runs(N=1e6).column("D").tolist() == [1500]
    assert logs.to_runs(N=1e6, which="min").column("D").tolist() == [1000]
    assert logs.to_checkpoints(N=1e6).column("D").tolist() == [500, 1000, 1500]


def test_a_counter_that_a_resume_set_back_is_not_trusted(tmp_path):
    rows = [{"step": i, "tokens": 100 * (i if i <= 60 else i - 60), "loss": 3 - i / 200}
            for i in range(1, 151)]  # fmt: skip
    one_run(tmp_path, rows, {"batch_size": 10, "seq_len": 10})
    runs = bs.read_logs(tmp_path).to_runs(N=1e6)
    assert runs.column("D").tolist() == [15_000]
    assert said(runs, "set back in 'a', as on resume")


def test_a_table_without_any_resource_is_refused_with_how_to_give_them(tmp_path):
    one_run(tmp_path, steps([3.0, 2.0]))
    with pytest.raises(RunsError, match=r"neither N, D nor C.*tokens_per_step=.*pass N="):
        bs.read_logs(tmp_path).to_runs()


def test_resources_as_given_and_columns_kept(tmp_path):
    for name in ("a", "b"):
        one_run(tmp_path, steps([3.0, 2.0]), {"width": 7, "size": 3e6, "corpus": name}, name)
    logs = bs.read_logs(tmp_path)
    runs = logs.to_runs(N="size", D={"a": 1e9, "b": 2e9}, C=1e17, keep=["corpus"])
    assert runs.table[["N", "D", "C"]].to_numpy().tolist() == [[3e6, 1e9, 1e17], [3e6, 2e9, 1e17]]
    assert runs.table["corpus"].tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"which": "best"}, "which is 'best'; it must be one of last, min, mean_last"),
        ({"states": ("done",)}, "states= is 'any' or some of finished, .*; got 'done'"),
        ({"states": ()}, "states= is 'any' or some of finished, .*; got 'none'"),
        ({"which": "mean_last"}, "go together"),
        ({"k": 3}, "go together"),
        ({"which": "mean_last", "k": 0}, "from 1 to 10000"),
        ({"smooth": -1.0}, "smooth is a half-life"),
        ({"smooth": 5.0, "which": "min"}, "smooth= goes with which='last'"),
        ({"batch": 0.0}, "batch is a positive number"),
        ({"batch": 4.0, "tokens_per_step": 3.0}, "tokens_per_step is batch x length"),
        ({"N": "sizes", "tokens_per_step": 1.0}, "N='sizes' is no key"),
        ({"N": -3.0, "tokens_per_step": 1.0}, "N is a positive number or a key"),
        ({"N": 1e6, "D": 1e9, "keep": ["none"]}, "keep= names 'none'"),
        ({"N": 1e6, "D": 1e9, "keep": ["loss"]}, "column of the table already"),
    ],
)
def test_a_wrong_option_is_refused(tmp_path, options, message):
    one_run(tmp_path, steps([3.0, 2.0]))
    with pytest.raises(UsageError, match=message):
        bs.read_logs(tmp_path).to_runs(**options)


def test_millions_of_checkpoints_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(reduction, "MOST_CHECKPOINTS", 2)
    one_run(tmp_path, steps([3.0, 2.5, 2.0]))
    with pytest.raises(LimitError, match="3 records of the loss, and at most 2"):
        bs.read_logs(tmp_path).to_checkpoints(**FINALS)


# --- provenance


def test_provenance_survives_selection_files_and_the_posterior(tmp_path):
    from bayescale.runs.table_file import write_table

    WRITERS["json_lines"](tmp_path, small_runs(8))
    runs = bs.read_logs(tmp_path).to_runs()
    assert runs.provenance[0] == "Made from the logs of 8 runs (json_lines)."
    assert runs.select(runs.loss < 10).provenance == runs.provenance
    path = tmp_path / "runs.parquet"
    write_table(runs, path)
    again = bs.read_runs(path)
    assert again.provenance == runs.provenance
    assert again.data_hash == runs.data_hash


def test_a_csv_is_safe_in_a_spreadsheet(tmp_path):
    from bayescale.runs.table_file import write_table

    one_run(tmp_path, steps([3.0, 2.0]), {"note": "@SUM(1)"}, "=HYPERLINK(1)")
    runs = bs.read_logs(tmp_path).to_runs(**FINALS, keep=["note"])
    path = tmp_path / "runs.csv"
    write_table(runs, path)
    cells = path.read_text().splitlines()[1].split(",")
    assert "'=HYPERLINK(1)" in cells
    assert "'@SUM(1)" in cells
