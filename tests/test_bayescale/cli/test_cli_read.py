"""`bayescale read`: from logs to a table, through the command line."""

import json
from pathlib import Path

import pandas as pd
import pytest

import bayescale as bs
from bayescale.errors import Exit
from tests.test_bayescale.conftest import run
from tests.test_bayescale.logs.conftest import REFERENCE, json_lines, small_runs


@pytest.fixture
def logs(tmp_path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    json_lines(folder, small_runs(8))
    return folder


def test_without_output_what_was_found_and_guessed_is_printed(logs):
    result = run("read", logs)
    assert result.exit_code == 0, result.output
    for words in (
        "Logs(8 runs, 192 records: json_lines)",
        "The evaluation loss is taken to be 'val/loss', by its name.",
        "N is counted from the shape",
        "D is step x tokens a step, which are 'batch_size' x 'seq_len'.",
        "Nothing was written; pass -o runs.parquet to keep the table.",
    ):
        assert words in result.output


def test_where_no_table_can_be_made_the_logs_are_described_all_the_same(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"step": 1, "accuracy": 0.5}\n')
    result = run("read", tmp_path)
    assert result.exit_code == 0
    assert "accuracy" in result.stdout
    assert "no table can be made yet: no metric is called like a loss" in result.stderr
    result = run("read", tmp_path, "-o", tmp_path / "runs.csv")
    assert result.exit_code == Exit.DATA
    assert not (tmp_path / "runs.csv").exists()


def test_the_table_is_fitted_as_it_is_and_its_provenance_is_in_the_posterior(logs, tmp_path):
    table, saved = tmp_path / "runs.parquet", tmp_path / "fit.nc"
    result = run("read", logs, "--which", "min", "-o", table)
    assert result.exit_code == 0, result.output
    assert f"Written to {table}: bayescale fit {table}" in result.output
    options = ("--law", "E + A*N**-alpha", "--engine", "laplace", "--force", "-o", saved)
    result = run("fit", table, *options)
    assert result.exit_code == 0, result.output
    result = run("summary", saved, "--force")
    assert "table: The loss of a run is the minimum of its records" in result.output
    posterior = bs.Posterior.load(saved)
    assert posterior.observed is not None
    assert posterior.observed.provenance == bs.read_runs(table).provenance


def test_options_choose_and_checkpoints_are_rows(logs, tmp_path):
    table = tmp_path / "runs.csv"
    options = ("--loss", "train/loss", "--last", 3, "--N", "n_embd", "--tokens-per-step", 7)
    assert run("read", logs, *options, "--keep", "seq_len", "-o", table).exit_code == 0
    found = pd.read_csv(table)
    assert found["N"].tolist() == [64 * (i + 1) for i in range(8)]
    assert set(found["D"]) == {140.0}
    assert set(found["seq_len"]) == {128}
    assert run("read", logs, "--checkpoints", "-o", table).exit_code == 0
    assert len(pd.read_csv(table)) == 32


def test_unfinished_runs_are_taken_where_asked(tmp_path):
    table = tmp_path / "runs.csv"
    for flags, rows in (((), 1), (("--any-state",), 2)):
        result = run("read", REFERENCE / "trainer_state", *flags, "-o", table)
        assert result.exit_code == 0, result.output
        assert len(pd.read_csv(table)) == rows


def test_json_holds_runs_metrics_table_and_provenance(logs):
    result = run("read", logs, "--json")
    answer = json.loads(result.stdout)
    assert [one["name"] for one in answer["runs"]] == [f"run-{i}" for i in range(8)]
    assert len(answer["table"]) == 8
    assert answer["provenance"][0] == "Made from the logs of 8 runs (json_lines)."


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("-o", "runs.xlsx"), Exit.USAGE, "must be one of .parquet, .csv"),
        (("-o", "no/such/runs.csv"), Exit.DATA, "there is no such folder"),
        (("--checkpoints", "--last", "3"), Exit.USAGE, "so --last goes without it"),
        (("--which", "mean_last", "-o", "r.csv"), Exit.USAGE, "--which mean_last --last K"),
        (("--which", "best", "-o", "r.csv"), Exit.USAGE, "must be one of last, min, mean_last"),
        (("--format", "json"), Exit.USAGE, "no format of logs called 'json'"),
        (("--loss", "los", "-o", "r.csv"), Exit.DATA, "no run has a metric 'los'"),
    ],
)
def test_a_wrong_option_is_one_sentence(logs, tmp_path, monkeypatch, options, code, message):
    monkeypatch.chdir(tmp_path)
    result = run("read", logs, *options)
    assert result.exit_code == code
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_a_path_without_logs_is_one_sentence(tmp_path):
    result = run("read", tmp_path / "none")
    assert result.exit_code == Exit.DATA
    assert "there is no file or folder" in result.stderr
