"""The resumable table of simulated curves."""

import math

import numpy as np
import pandas as pd
import pytest

from bayescale.errors import OutputError, UsageError
from bayescale.runs import simulated_dynamics as _simulate
from bayescale.runs.simulated_dynamics import simulate_dmft
from theory.errors import TheoryError
from theory.learning import simulate
from theory.learning.dmft.dynamics import HeavyBall
from theory.learning.spectrum import PowerLaw

AT = {"a": 1.6, "b": 1.3, "modes": 30, "N": [6.0], "P": [10.0], "t": [2.0, 5.0], "seed": 3}


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(_simulate, "CHUNK", 4)


def test_the_table_is_the_simulation_whatever_the_chunks(tmp_path, few):
    told = []
    found = simulate_dmft(tmp_path / "out.parquet", draws=10, progress=told.append, **AT)
    want = simulate.loss(PowerLaw(1.6, 1.3, modes=30), N=6, P=10, t=[2.0, 5.0], draws=10, seed=3)
    np.testing.assert_allclose(found["mean"], want.mean, rtol=1e-9)
    np.testing.assert_allclose(found["standard_error"], want.standard_error, rtol=1e-9)
    assert list(found["draws"]) == [10, 10]
    assert told == [f"curve 1 of 1: {n} of 10 draws" for n in (4, 8, 10)]


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path, few):
    whole = simulate_dmft(tmp_path / "whole.parquet", draws=10, **AT)

    def stop(stage):
        if " 8 of" in stage:
            raise KeyboardInterrupt

    part = tmp_path / "part.parquet"
    with pytest.raises(KeyboardInterrupt):
        simulate_dmft(part, draws=10, progress=stop, **AT)
    assert pd.read_parquet(part)["draws"].sum() == 2 * 8
    told = []
    again = simulate_dmft(part, draws=10, progress=told.append, **AT)
    assert told == ["curve 1 of 1: 10 of 10 draws"]
    pd.testing.assert_frame_equal(again, whole, rtol=1e-9)
    # A finished one computes nothing.
    done = simulate_dmft(part, draws=10, progress=told.append, **AT)
    assert len(told) == 1
    pd.testing.assert_frame_equal(done, again)


def test_settings_and_infinite_sizes_reach_the_simulation(tmp_path):
    at = AT | {"P": [math.inf], "dynamics": "heavy-ball", "learning_rate": 0.3, "momentum": 0.5}
    found = simulate_dmft(tmp_path / "out.parquet", draws=3, **at)
    task = PowerLaw(1.6, 1.3, modes=30)
    method = HeavyBall(0.3, 0.5)
    want = simulate.loss(task, N=6, t=[2.0, 5.0], draws=3, seed=3, dynamics=method)
    np.testing.assert_allclose(found["mean"], want.mean, rtol=1e-9)
    # An infinite size is found again on reading.
    assert list(simulate_dmft(tmp_path / "out.parquet", draws=3, **at)["draws"]) == [3, 3]


def test_other_options_are_refused_and_named(tmp_path):
    path = tmp_path / "out.parquet"
    simulate_dmft(path, draws=2, **AT)
    before = path.read_bytes()
    with pytest.raises(UsageError, match=r"other options: noise was 0.0, now 0.5; give the same"):
        simulate_dmft(path, draws=2, noise=0.5, **AT)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dynamics": "flwo"}, "Did you mean 'flow'"),
        ({"dynamics": "descent"}, "takes learning_rate; got none"),
        ({"penalty": 0.1}, "'flow' takes no setting; got penalty"),
        ({"draws": 1}, "at least 2 draws"),
        ({"t": []}, "0 of t"),
        ({"dynamics": "descent", "learning_rate": 90.0, "t": [5000.0]}, "'descent' diverged"),
    ],
)
def test_each_mistake_has_its_sentence(tmp_path, options, words):
    with pytest.raises(UsageError, match=words):
        simulate_dmft(tmp_path / "out.parquet", **{"draws": 2} | AT | options)
    assert not (tmp_path / "out.parquet").exists()


def test_files_that_cannot_be_used_are_refused(tmp_path):
    path = tmp_path / "out.parquet"
    path.write_text("no table")
    with pytest.raises(UsageError, match="not a Parquet file"):
        simulate_dmft(path, draws=2, **AT)
    pd.DataFrame({"N": [1.0]}).to_parquet(path)
    with pytest.raises(UsageError, match="not written by a simulation"):
        simulate_dmft(path, draws=2, **AT)
    with pytest.raises(OutputError, match="no such folder"):
        simulate_dmft(tmp_path / "none" / "out.parquet", draws=2, **AT)


def test_the_mistakes_of_the_theory_stay_its_own(tmp_path):
    with pytest.raises(TheoryError, match="N must be a whole number"):
        simulate_dmft(tmp_path / "out.parquet", draws=2, **AT | {"N": [2.5]})
