"""The program that makes `tiny_lm`, and what it made."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayescale as bs

FOLDER = Path(__file__).resolve().parents[1] / "datasets" / "tiny_lm"


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return pd.read_csv(FOLDER / "runs.csv")


def test_the_ladder_has_its_sizes(table: pd.DataFrame) -> None:
    sizes = table.groupby("N")["D"].nunique()
    assert len(sizes) >= 8
    assert sizes.min() >= 6
    assert sizes.index.min() < 3e3
    assert sizes.index.max() > 9e5
    assert table["run"].is_unique


def test_the_columns_say_what_they_are(table: pd.DataFrame) -> None:
    np.testing.assert_allclose(table["C"], 6.0 * table["N"] * table["D"])
    np.testing.assert_array_equal(table["D"], table["steps"] * table["batch"] * 128)
    # Nobody beats the entropy of code by much, and nobody is worse than guessing bytes.
    assert table["loss"].between(1.0, np.log(256)).all()


def test_loss_falls_with_data_and_with_size(table: pd.DataFrame) -> None:
    mean = table.pivot_table(index="N", columns="D", values="loss")
    assert (mean.diff(axis=1).iloc[:, 1:].fillna(-1) < 0).all(axis=None)
    # Ties within the noise between seeds are allowed: 0.01 nats.
    assert (mean.diff(axis=0).iloc[1:].fillna(-1) < 0.01).all(axis=None)


def test_it_loads_by_name(table: pd.DataFrame) -> None:
    runs = bs.load("tiny_lm")
    assert len(runs) == len(table)
    np.testing.assert_array_equal(runs.loss, table["loss"])


BRIEFLY = """
from corpus import load_corpus
from model import Run, Shape, train
corpus = load_corpus()
run = Run("brief", Shape(8, 2, 1), steps=32, batch=4, lr=0.036, seed=0)
print(*(train(run, corpus.train, corpus.held_out) for _ in range(2)))
"""


@pytest.mark.slow
def test_a_short_training_learns_and_repeats() -> None:
    result = subprocess.run(
        [sys.executable, "-c", BRIEFLY], cwd=FOLDER, capture_output=True, text=True, check=True
    )
    first, again = map(float, result.stdout.split())
    assert first == again
    # Guessing bytes costs log 256 = 5.5; thirty-two steps learn at least their frequencies.
    assert first < 4.5


def test_what_was_logged_is_what_the_table_says(table: pd.DataFrame) -> None:
    """Trained again with a log, on perhaps another machine: the same losses to 1%."""
    by_name = table.set_index("run")
    paths = sorted((FOLDER / "logs" / "jsonl").glob("*.jsonl"))
    assert len(paths) == 26
    for path in paths:
        settings, *records = map(json.loads, path.read_text("utf-8").splitlines())
        row = by_name.loc[path.stem] if path.stem in by_name.index else None
        assert settings["config"]["run"] == path.stem
        if path.stem == "n4-d4-s1":  # stopped half way
            assert records[-1]["step"] == settings["config"]["steps"] / 2
            continue
        assert row is not None
        assert records[-1]["tokens"] == row["D"]
        assert settings["config"]["n_params"] == row["N"]
        assert records[-1]["val/loss"] == pytest.approx(row["loss"], rel=0.01)
