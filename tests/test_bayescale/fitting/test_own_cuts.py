"""What a table's own larger runs say: slopes by another engine, and what the gate makes of it."""

import numpy as np
import pandas as pd
import pytest

import bayescale as bs
from bayescale.diagnosis import Status
from bayescale.fitting.own_cuts import LEAST_DISTANCE, own_cuts
from bayescale.models.model import Model
from bayescale.posteriors.checks.own_cuts import KEY, MOST_SLOPE, judge_own_cuts, mean_slope
from bayescale.runs.cuts import divide


def table(bend: float) -> bs.Runs:
    """Runs of a power law whose log loss bends by `bend` per e-fold beyond 1e8 parameters."""
    rng = np.random.default_rng(3)
    size = np.geomspace(1e6, 1e10, 60)
    log_loss = np.log(1.7 + 60 * size**-0.3) + bend * np.maximum(np.log(size / 1e8), 0.0)
    loss = np.exp(log_loss + 0.002 * rng.standard_normal(size.size))
    return bs.read_runs(pd.DataFrame({"N": size, "loss": loss}), name="bent")


@pytest.mark.slow
def test_slopes_are_those_of_fits_to_the_smaller_runs() -> None:
    runs = table(0.03)
    model = Model.for_runs("power", runs)
    found = own_cuts(model, runs, seed=0)
    cuts = divide(runs, None, 9)
    assert [one["at"] for one in found] == [cut.at for cut in cuts]
    one, cut = found[1], cuts[1]
    past, future = runs.select(cut.past), runs.select(cut.future)
    # The other engine: NUTS over all of the posterior in place of its mode.
    post = bs.fit_many([past], "power", seed=0)[0]
    law = np.median(post.log_law({"N": np.log(future.column("N"))[None]}), axis=0)
    error = np.log(future.loss) - law
    away = np.log(future.column("N") / past.column("N").max())
    kept = away > LEAST_DISTANCE
    slope = error[kept] @ away[kept] / (away[kept] @ away[kept])
    assert one["slope"] == pytest.approx(slope, abs=0.004)
    assert one["n_past"] + one["n_future"] == 60
    assert one["distance"] == pytest.approx(away.max())


def test_a_law_that_bends_is_told_from_one_that_holds() -> None:
    slopes = {}
    for bend in (0.0, 0.06):
        runs = table(bend)
        slopes[bend] = mean_slope(own_cuts(Model.for_runs("power", runs), runs, seed=0))
    assert slopes[0.0] is not None
    assert slopes[0.06] is not None
    assert slopes[0.0] < 0.01 < MOST_SLOPE < slopes[0.06]


def test_few_noisy_runs_of_a_law_that_holds_raise_no_alarm() -> None:
    for seed in range(6):
        size = 1e9 * np.exp(np.random.default_rng(seed).uniform(-3, 3, 20))
        model = Model.at("power", pivot={"N": 1e9})
        known = {"sigma": 0.01, "nu": 5.0}
        runs = model.simulate({"N": size}, seed=seed, coordinates=known).runs
        slope = mean_slope(own_cuts(Model.for_runs("power", runs), runs, seed=0))
        assert slope is not None
        assert slope < MOST_SLOPE


def test_the_gate_notes_small_slopes_and_warns_of_large_ones() -> None:
    def cut(slope: float, error: float = 0.0) -> dict[str, float]:
        counts = {"at": 1.0, "n_past": 20, "n_future": 5, "distance": np.log(8.0)}
        return {**counts, "slope": slope, "error": error}

    assert judge_own_cuts({}) == bs.Diagnosis()
    small = judge_own_cuts({KEY: [cut(0.01), cut(-0.02)]})
    assert small.status is Status.OK
    (note,) = small.notes
    assert "at 2 cuts up to 8 times beyond, came out 1.5% off for every e-fold" in note
    large = judge_own_cuts({KEY: [cut(0.05)]})
    # Half of the variance of an unsure slope is chance's, and 4% is no longer told.
    assert judge_own_cuts({KEY: [cut(0.04, error=0.04 / 2**0.5)]}).warnings == ()
    assert mean_slope([cut(0.05, error=0.04)]) == pytest.approx(0.03)
    assert large.status is Status.WARN
    assert "5.0% off" in large.warnings[0]
    assert "more than most laws on most tables (3%)" in large.warnings[0]


def test_tables_that_cannot_be_cut_say_nothing() -> None:
    runs = table(0.0)
    few = runs.select(np.arange(60) < 8)
    assert own_cuts(Model.for_runs("power", few), few, seed=0) == []
    curve = Model.for_runs("power", runs, likelihood="curves")
    assert own_cuts(curve, runs, seed=0) == []


def test_a_fit_keeps_its_cuts_and_a_loaded_one_is_judged_alike(tmp_path) -> None:
    from bayescale.posteriors.checks.gate import judge

    post = bs.fit(table(0.0), "power", engine="laplace", seed=0)
    assert post.record[KEY]
    assert any("own larger runs" in note for note in post.diagnosis.notes)
    loaded = bs.Posterior.load(post.save(tmp_path / "fit.nc"))
    assert loaded.diagnosis == post.diagnosis
    assert judge(loaded).notes == post.diagnosis.notes
    assert "notes" in post.to_dict()["diagnostics"]
    form, belief, then = post.advice()
    assert form.startswith("form: ")
    assert "at 10 times the largest run the loss is forecast to +-" in belief
    assert then.startswith("next: ")
