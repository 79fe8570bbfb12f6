"""The program that makes `teacher_student`, and what it made: all four scaling regimes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayescale as bs

FOLDER = Path(__file__).resolve().parents[1] / "datasets" / "teacher_student"
DIMENSION = 4


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return pd.read_csv(FOLDER / "runs.csv")


@pytest.fixture(scope="module")
def means(table: pd.DataFrame) -> pd.DataFrame:
    """Geometric means over the seeds that every width has, by width and examples."""
    shared = table.loc[table["seed"] < 2].assign(log_loss=lambda frame: np.log(frame["loss"]))
    return np.exp(shared.pivot_table(index="width", columns="D", values="log_loss"))


def exponent(values: pd.Series) -> float:
    """Minus the slope of the logarithms."""
    return -float(np.polyfit(np.log(values.index), np.log(values), 1)[0])


def test_the_columns_say_what_they_are(table: pd.DataFrame) -> None:
    width = table["width"]
    np.testing.assert_array_equal(table["N"], 6 * width + (width + 1) * width + width + 1)
    np.testing.assert_allclose(table["flops"], 6.0 * table["N"] * table["batch"] * table["steps"])
    assert (table["loss"] > 0).all()
    assert table["run"].is_unique
    assert len(table) >= 100
    assert (table.groupby(["N", "D"])["seed"].nunique() >= 2).all()


def test_loss_falls_with_data_and_with_size(means: pd.DataFrame) -> None:
    wide = means.loc[8:, 128:]
    # Twice the standard deviation between means of two seeds, 0.033 in log loss from 1024 on.
    assert (np.log(wide).diff(axis=1).iloc[:, 1:] < 0.1).all(axis=None)
    assert (np.log(wide).diff(axis=0).iloc[1:] < 0.25).all(axis=None)
    assert means.loc[192, 32768] == means.min(axis=None)


def test_wide_students_are_limited_by_resolution_of_the_data(means: pd.DataFrame) -> None:
    """At least smoothness/d = 3/4 for fixed features as smooth as the teacher's, 4/d at best."""
    assert 0.65 < exponent(means.loc[192, 64:16384]) < 4 / DIMENSION


def test_much_data_leaves_the_resolution_of_the_width(means: pd.DataFrame) -> None:
    """Exponents of N of an order 4/d, over widths that are far from limited by data."""
    parameters = means.index.map(lambda width: 6 * width + (width + 1) * width + width + 1)
    by_size = means[32768].set_axis(parameters).loc[49:1281]
    assert 0.65 < exponent(by_size) < 1.2


def test_narrow_students_are_limited_by_variance_of_the_data(table: pd.DataFrame) -> None:
    """The excess over the limit of much data is 1/D, whatever the dimension."""
    means = np.exp(
        table.assign(log_loss=np.log(table["loss"])).pivot_table(
            index="width", columns="D", values="log_loss"
        )
    )
    for width in (8, 12, 16, 24):
        excess = (means.loc[width] - means.loc[width, 32768]).loc[256:4096]
        assert exponent(excess) == pytest.approx(1.0, abs=0.2)


def test_little_data_leaves_the_variance_of_the_width(means: pd.DataFrame) -> None:
    """The excess over infinite width is 1/width; measured is that over a width of 192."""
    found = []
    for size in (128, 256, 512, 1024, 2048):
        excess = (means[size] - means.loc[192, size]).loc[8:64]
        found.append(exponent(excess.set_axis(1 / (1 / excess.index - 1 / 192))))
    assert np.mean(found) == pytest.approx(1.0, abs=0.2)
    assert all(0.65 < one < 1.2 for one in found)


def test_it_loads_by_name(table: pd.DataFrame) -> None:
    runs = bs.load("teacher_student")
    assert len(runs) == len(table)
    np.testing.assert_allclose(np.sort(runs.loss), np.sort(table["loss"]))


BRIEFLY = """
import numpy as np
from model import DIMENSION, Ladder, draw_task, parameter_count, init_params, train
task = draw_task(0, 1024, 4096)
assert np.allclose(np.linalg.norm(task.inputs, axis=1) ** 2, DIMENSION + 1, rtol=1e-5)
assert abs(task.test_labels.mean()) < 1e-9 and abs(task.test_labels.std() - 1) < 1e-9
assert np.array_equal(draw_task(0, 512, 4096).inputs, task.inputs[:512])
assert sum(leaf.size for leaf in init_params(6, 0).values()) == parameter_count(6)
ladder = Ladder(width=6, seeds=(0, 1), sizes=(32, 512), steps=300, lr=0.06)
for losses in (*train(ladder, 4096), *train(ladder, 4096)):
    print(*losses.ravel())
"""


@pytest.mark.slow
def test_a_short_training_learns_and_repeats() -> None:
    result = subprocess.run(
        [sys.executable, "-c", BRIEFLY], cwd=FOLDER, capture_output=True, text=True, check=True
    )
    lines = [np.array(line.split(), float) for line in result.stdout.splitlines()]
    np.testing.assert_array_equal(lines[:2], lines[2:])
    test_loss, train_loss = (line.reshape(2, 2) for line in lines[:2])
    # The mean costs 1; 300 steps on 512 examples learn most of the variance, on 32 fit those.
    assert (test_loss[:, 1] < 0.3).all()
    assert (train_loss[:, 0] < test_loss[:, 0] / 2).all()


@pytest.mark.slow
def test_an_interrupted_program_goes_on_where_it_stopped(tmp_path: Path) -> None:
    command = [sys.executable, str(FOLDER / "make.py"), "--quick", "--out", str(tmp_path)]
    subprocess.run(command, capture_output=True, check=True)
    table = (tmp_path / "runs.csv").read_bytes()
    record = tmp_path / ".work" / "width2.json"
    kept = record.stat().st_mtime_ns
    (tmp_path / "runs.csv").unlink()
    (tmp_path / ".work" / "width8.json").unlink()
    subprocess.run(command, capture_output=True, check=True)
    assert (tmp_path / "runs.csv").read_bytes() == table
    assert record.stat().st_mtime_ns == kept
