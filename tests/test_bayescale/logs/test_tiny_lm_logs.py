"""The shipped logs of `tiny_lm`: two formats, one table, and that of the dataset."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import bayescale as bs
from bayescale.cli.app import app

LOGS = Path(__file__).resolve().parents[3] / "datasets" / "tiny_lm" / "logs"


def test_json_lines_and_event_files_of_the_same_runs_read_to_the_same_table() -> None:
    tables = [
        bs.read_logs(LOGS / kind).to_runs().table.sort_values("run", ignore_index=True)
        for kind in ("jsonl", "tensorboard")
    ]
    columns = ["run", "N", "D", "loss", "step", "schedule"]
    pd.testing.assert_frame_equal(tables[0][columns], tables[1][columns], check_exact=True)
    kept = bs.load("tiny_lm").table
    both = tables[0].merge(kept, on="run", suffixes=("", "_kept"))
    assert len(both) == len(tables[0]) == 25
    np.testing.assert_array_equal(both["N"], both["N_kept"])
    np.testing.assert_array_equal(both["D"], both["D_kept"])
    np.testing.assert_allclose(both["loss"], both["loss_kept"], rtol=0.01)


def test_the_run_that_was_stopped_half_way_is_left_out_and_named() -> None:
    runs = bs.read_logs(LOGS / "tensorboard").to_runs()
    assert any("n4-d4-s1: step 1024 of 2048" in said for said in runs.provenance)
    every = bs.read_logs(LOGS / "tensorboard").to_runs(states="any")
    assert set(every.table["run"]) - set(runs.table["run"]) == {"n4-d4-s1"}


@pytest.mark.slow
def test_from_logs_to_a_plan_in_three_commands(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for line in (
        f"read {LOGS / 'jsonl'} -o runs.parquet",
        "fit runs.parquet --engine laplace -o fit.nc",
        "plan fit.nc --compute 1e12",
    ):
        result = CliRunner().invoke(app, line.split())
        assert result.exit_code == 0, result.stderr
    assert "D/N" in result.stdout
