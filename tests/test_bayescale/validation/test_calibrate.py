"""Calibration on a table and by simulation: what is right passes, planted errors are found."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayescale as bs
from bayescale import diagnosis
from bayescale.distributions.prior import Prior
from bayescale.errors import DiagnosticsWarning, RunsError, UsageError
from bayescale.fitting import chunk as _chunk
from bayescale.models.density import Density
from bayescale.models.drift import Drift
from bayescale.models.model import Model
from bayescale.runs.table import Runs
from bayescale.validation.calibrate import TIMES, calibrate
from bayescale.validation.simulation_based import (
    Ranks,
    ecdf_difference,
    inside_band,
    simulation_based_calibration,
)

PIVOT = {"N": 1e8}


def curve(bend: float, seed: int = 0) -> Runs:
    """A power law in N whose log loss bends away beyond 1e8, by `bend` per e-fold."""
    rng = np.random.default_rng(seed)
    n = 10.0 ** np.linspace(6.5, 9.5, 40)
    log_loss = np.log(1.8 + 25 * n**-0.2) + bend * np.maximum(0, np.log(n / 1e8))
    return bs.read_runs(
        pd.DataFrame({"N": n, "loss": np.exp(log_loss + 0.003 * rng.normal(size=40))})
    )


@pytest.fixture(scope="module")
def results() -> dict[str, bs.Calibration]:
    cuts = [3e7, 1e8]
    return {
        name: calibrate(curve(bend), law="power", cuts=cuts, seed=1)
        for name, bend in (("straight", 0.0), ("bent", 0.03))
    }


@pytest.mark.slow
def test_a_right_law_covers_and_a_bent_one_does_not(results: dict[str, bs.Calibration]) -> None:
    straight, bent = (results[name].summary().loc["power"] for name in ("straight", "bent"))
    assert straight["coverage_90"] >= 0.8
    assert bent["coverage_90"] < 0.5
    assert bent["bias"] > 0.02  # what was seen lies above the forecast
    assert bent["log_score"] < straight["log_score"] - 1
    assert "the law is too sure" in results["bent"].advice()[0]
    assert "too sure" not in results["straight"].advice()[0]


@pytest.mark.slow
def test_the_drift_that_the_cuts_teach_is_larger_where_the_law_bends(
    results: dict[str, bs.Calibration],
) -> None:
    scales = {n: r.drifts["power"].scale.scipy().median() for n, r in results.items()}
    assert scales["bent"] > 3.0 > scales["straight"] > TIMES[0]
    # With it, the same forecasts cover better.
    again = calibrate(
        curve(0.03), law="power", cuts=[3e7, 1e8], seed=1, drift=results["bent"].drifts["power"]
    )
    before, after = (r.summary().loc["power"] for r in (results["bent"], again))
    assert after["coverage_90"] > before["coverage_90"] + 0.2
    assert after["interval_score_90"] < before["interval_score_90"]
    fixed = replace(again, drifts={"power": Drift.in_noise(Prior.fixed(2.0))})
    assert fixed.to_dict()["drifts"]["power"]["scale"]["value"] == 2.0


@pytest.mark.slow
def test_the_table_has_a_row_a_cut(results: dict[str, bs.Calibration]) -> None:
    result = results["straight"]
    table = result.table
    assert list(table.index) == [("power", 3e7), ("power", 1e8)]
    assert (table["n_past"] + table["n_future"] == 40).all()
    assert table["reach"].is_monotonic_decreasing
    for low, high in ((50, 80), (80, 90), (90, 95)):
        assert (table[f"coverage_{low}"] <= table[f"coverage_{high}"]).all()
    one = result.forecasts["power"][0]
    assert table["rmse"].iloc[0] == pytest.approx(np.sqrt(np.mean(one.error**2)))
    data = result.to_dict()
    assert data["seed"] == 1
    assert len(data["table"]) == 2
    assert repr(result).startswith("Calibration at 2 cuts\npower: 90% intervals covered ")
    assert result.weights.empty


def test_each_cut_is_fitted_by_the_engine_that_is_named() -> None:
    result = calibrate(curve(0.0), law="power", cuts=[3e7, 1e8], engine="laplace", seed=1)
    posts = result.outlook.posteriors["power"]
    assert [post.record["engine"] for post in posts] == ["laplace", "laplace"]
    assert [post.seed for post in posts] == [1, 1]
    assert set(result.table["status"]) == {"ok"}
    assert "the gate" not in result.advice()[0]


def test_fits_that_the_gate_refuses_count_and_are_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "MAX_PARETO_K", -1.0)
    with pytest.warns(DiagnosticsWarning, match=r"power: refused 2\); what they forecast counts"):
        result = calibrate(curve(0.0), law="power", cuts=[3e7, 1e8], engine="laplace", seed=1)
    assert set(result.table["status"]) == {"refuse"}
    assert "(of 2 fits the gate refused 2, which count all the same)" in result.advice()[0]


def test_a_model_is_made_anew_below_each_cut_with_what_was_set() -> None:
    runs = curve(0.0)
    given = Model.for_runs("power", runs, likelihood="normal", prior={"alpha": 0.2}, drift=None)
    result = calibrate(runs, given, cuts=[1e8], engine="laplace", prior={"sigma": 0.004})
    (post,) = result.outlook.posteriors["power"]
    assert post.model is not None
    assert post.model.likelihood == given.likelihood
    assert post.model.fixed == {"alpha": 0.2, "sigma": 0.004}
    assert post.model.priors.pivot["N"] < given.priors.pivot["N"]  # nothing of the future
    assert result.drifts == {}


def test_bad_requests_are_refused() -> None:
    runs = curve(0.0)
    with pytest.raises(UsageError, match=r"^likelihood='normal' was given beside a model"):
        calibrate(runs, Model.for_runs("power", runs), likelihood="normal")
    with pytest.raises(UsageError, match=r"^client= spreads the tables of engine 'batch' and was"):
        calibrate(runs, law="power", cuts=[1e8], engine="laplace", client=object())
    with pytest.raises(UsageError, match=r"no engine called 'laplac'.*Did you mean 'laplace'"):
        calibrate(runs, law="power", cuts=[1e8], engine="laplac")
    with pytest.raises(UsageError, match="seed must be at least 0; got -1"):
        calibrate(runs, law="power", seed=-1)
    with pytest.raises(UsageError, match=r"^there is no law to calibrate; name at least one\.$"):
        calibrate(runs, law=[])
    with pytest.raises(UsageError, match=r"^a law is named twice: power, power\.$"):
        calibrate(runs, law=["power", "power"])
    with pytest.raises(RunsError, match="leaves 0 runs below"):
        calibrate(runs, law="power", cuts=[1.0])


# --- simulation-based calibration

DESIGN = {"N": 10.0 ** np.linspace(7, 9.5, 25)}


def model(**options) -> Model:
    # A scale that the runs resolve, so that short chains mix; nu is drawn from its own prior.
    prior = {"sigma": Prior.around(0.01, 0.3)} | options.pop("prior", {})
    return Model.at("power", pivot=PIVOT, likelihood="normal", prior=prior, **options)


@pytest.fixture(scope="module")
def ranks() -> Ranks:
    return simulation_based_calibration(model(), DESIGN, replicates=64, seed=2)


@pytest.mark.slow
def test_ranks_of_the_right_model_are_uniform(ranks: Ranks) -> None:
    assert ranks.uniform, ranks.verdicts
    assert set(ranks.ranks) == {"L_pivot", "floor_fraction", "alpha", "sigma", "log likelihood"}
    assert repr(ranks).startswith("Ranks of 64 tables, uniform for every quantity")
    assert ranks.to_tree()["prior_sbc"]["alpha"].shape == (1, 64)


@pytest.mark.slow
def test_a_wrong_noise_scale_is_found() -> None:
    twice = model(prior={"sigma": Prior.around(0.02, 0.1)})
    found = simulation_based_calibration(model(), DESIGN, replicates=64, fitted=twice, seed=2)
    assert not found.verdicts.loc["sigma", "uniform"]
    assert not found.verdicts.loc["log likelihood", "uniform"]


@pytest.mark.slow
def test_a_prior_mismatch_is_found() -> None:
    shifted = model(prior={"alpha": Prior.around(0.6, 0.2)})
    found = simulation_based_calibration(model(), DESIGN, replicates=64, fitted=shifted, seed=2)
    assert not found.verdicts.loc["alpha", "uniform"]
    assert found.verdicts.loc["alpha", "mean"] < 0.4


@pytest.mark.slow
def test_a_wrong_jacobian_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class WithoutJacobian(Density):
        def log_prior(self, position, sites, ops=np, numbers=None):
            total = super().log_prior(position, sites, ops, numbers)
            place = self._places["sigma"]
            return total - self._support("sigma").log_jacobian(position[..., place], ops)

    wide = model(prior={"sigma": Prior.around(0.01, 1.0)})
    few = {"N": 10.0 ** np.linspace(7, 9.5, 8)}
    monkeypatch.setattr(_chunk, "Density", WithoutJacobian)
    found = simulation_based_calibration(wide, few, replicates=256, seed=2)
    assert not found.verdicts.loc["sigma", "uniform"]
    assert found.verdicts.loc["sigma", "mean"] > 0.55


def test_the_band_holds_uniform_ranks_and_not_others() -> None:
    rng = np.random.default_rng(0)
    inside = [inside_band(rng.random(200)) for _ in range(100)]
    assert np.sum(inside) >= stats.binom(100, 0.99).ppf(0.001)
    assert not inside_band(rng.beta(2, 2, 200))
    assert not inside_band(rng.beta(1.5, 1, 200))
    at, difference, low, high = ecdf_difference(rng.random(50))
    assert at.shape == difference.shape == low.shape == high.shape
    assert np.all(low <= high)


def test_too_few_replicates_are_refused() -> None:
    with pytest.raises(UsageError, match=r"^calibration needs at least 20 replicates; got 5\.$"):
        simulation_based_calibration(model(), DESIGN, replicates=5)


@pytest.mark.slow
@pytest.mark.parametrize("law", ["chinchilla", "share"])
def test_the_default_model_is_calibrated(law: str) -> None:
    rng = np.random.default_rng(4)
    design = {"N": 10 ** rng.uniform(7, 9.5, 40), "D": 10 ** rng.uniform(9, 11, 40)}
    whole = Model.at(law, pivot={"N": 3e8, "D": 1e10})
    found = simulation_based_calibration(whole, design, replicates=500, seed=5)
    assert {"log N*", "log L*"} <= set(found.ranks)
    assert found.uniform, found.verdicts
