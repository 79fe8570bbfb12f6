"""Checks of a fitted model: trends, predictive tables, sensitivity, influence."""

import warnings
from dataclasses import replace

import arviz_stats
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import bayescale as bs
from bayescale.errors import DiagnosticsWarning, UsageError
from bayescale.models import pointwise as _pointwise
from bayescale.models.noise import Noise
from bayescale.posteriors import checks
from bayescale.posteriors.checks import leave_one_out as _loo
from bayescale.posteriors.checks.trends import allowed_for, judge_trends, score
from bayescale.runs.table import Runs

MODEL = bs.Model.at("chinchilla", pivot={"N": 1e8, "D": 1e10})
TRUTH = {
    "L_pivot": 2.7,
    "floor_fraction": 0.6,
    "share_N": 0.5,
    "alpha": 0.34,
    "beta": 0.3,
    "sigma": 0.003,
    "nu": 5.0,
}


def simulated(seed: int = 3, count: int = 60) -> tuple[Runs, np.ndarray]:
    """Runs of the additive law, and their standardised log sizes (resource, run)."""
    place = np.random.default_rng(seed).uniform(-3, 3, (2, count))
    design = {"N": 1e8 * np.exp(place[0]), "D": 1e10 * np.exp(place[1])}
    return MODEL.simulate(design, seed=seed, coordinates=TRUTH).runs, place / np.sqrt(3)


def moved(runs: Runs, by: np.ndarray) -> Runs:
    """The same runs with log losses moved."""
    return replace(runs, table=runs.table.assign(loss=runs.loss * np.exp(by)))


def quietly(runs: Runs, *args: object, **options: object) -> bs.Posterior:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiagnosticsWarning)
        return bs.fit(runs, *args, engine="laplace", **options)  # pyright: ignore


def warned(posterior: bs.Posterior, words: str) -> list[str]:
    return [sentence for sentence in posterior.diagnosis.warnings if words in sentence]


# --- trends


@pytest.mark.parametrize(
    ("trend", "name"),
    [
        (lambda n, d: 0.005 * n * d, "log N x log D"),  # the law is a sum, so it knows none
        (lambda n, d: 0.008 * np.sin(2 * d), "log D squared"),
    ],
)
def test_a_planted_trend_is_found_and_named(trend, name: str) -> None:
    runs, place = simulated()
    post = quietly(moved(runs, trend(*place)), MODEL)
    table = checks.residual_trends(post)
    assert table["p"].idxmin() == name
    assert table.loc[name, "p"] < 1e-3
    (sentence,) = (note for note in post.diagnosis.notes if "the residuals follow" in note)
    assert name in sentence
    assert "noise scales" in sentence
    assert "less than the drift which the forecasts allow for" in sentence


def test_a_trend_is_judged_by_what_forecasts_allow_for() -> None:
    """A note below the drift, a refusal above it, a warning where the law is taken as exact."""
    runs, place = simulated()
    post = quietly(moved(runs, 0.01 * place[0] * place[1]), MODEL)
    table = checks.residual_trends(post)
    largest = float(table.loc["log N x log D", "largest"])
    above, below = judge_trends(table, 1.1 * largest), judge_trends(table, 0.9 * largest)
    assert above.status == "ok"
    assert f"up to {largest:.1%} of the loss" in above.notes[0]
    assert below.status == "refuse"
    assert f"an e-fold beyond the runs ({0.9 * largest:.1%})" in below.refusals[0]
    assert judge_trends(table).status == "warn"
    allowed = allowed_for(post)
    assert allowed is not None
    assert post.drifts is not None
    assert np.mean(np.abs(post.drifts.slope) <= allowed) == pytest.approx(0.9, abs=0.001)
    assert allowed_for(quietly(runs, replace(MODEL, drift=None))) is None


def test_the_size_of_a_trend_is_what_was_planted() -> None:
    runs, place = simulated()
    product = place[0] * place[1]
    table = checks.residual_trends(quietly(moved(runs, 0.005 * product), MODEL))
    found = table.loc["log N x log D"]
    planted = 0.005 * product.std() * np.sqrt(found["left"])
    # In scales: the posterior's scale is wider than the truth's, for the trend is noise to it.
    scale = 0.005
    assert 0.5 * planted / scale < found["size"] < 1.5 * planted / scale
    assert found["left"] > 0.8


@pytest.mark.slow
def test_tables_without_a_trend_pass_at_the_nominal_rate() -> None:
    found = []
    for seed in range(40):
        runs, _ = simulated(seed)
        found.append(checks.residual_trends(quietly(runs, MODEL))["p"])
    p = pd.DataFrame(found)[["log N squared", "log D squared", "log N x log D"]]
    # 120 p-values: at most 12 +- 3.3 below 0.1 (fewer, as the noise is learnt from the same runs).
    assert (p < 0.1).sum().sum() <= 22
    assert (p < 0.01).sum().sum() <= 4
    assert 0.4 < p.mean(axis=None) < 0.65


def test_a_trend_that_the_law_absorbs_is_not_reported(ladder: bs.Posterior) -> None:
    table = checks.residual_trends(ladder)
    assert "log N" not in table.index  # a power law bends for any line
    assert ladder.diagnosis.status == "ok"


def test_the_same_seed_gives_the_same_p_values(ladder: bs.Posterior) -> None:
    first, again = (checks.residual_trends(ladder, seed=1) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(checks.residual_trends(ladder, seed=2))


def test_too_few_runs_are_tested_for_nothing() -> None:
    runs, _ = simulated(count=7)
    assert checks.residual_trends(quietly(runs, MODEL)).empty


@pytest.mark.parametrize(
    ("noise", "expected"),
    [
        (Noise("Normal", {"mu": 0.1, "sigma": 0.5}), lambda z: z),
        (
            Noise("StudentT", {"nu": 4.0, "mu": 0.1, "sigma": 0.5}),
            lambda z: 5.0 * z / (4.0 + z**2),
        ),
    ],
)
def test_the_score_is_the_derivative_in_closed_form(noise: Noise, expected) -> None:
    x = np.linspace(-3, 3, 13)
    np.testing.assert_allclose(score(noise, x), expected((x - 0.1) / 0.5), rtol=1e-5, atol=1e-9)


# --- predictive tables


def test_the_model_makes_tables_like_its_own(ladder: bs.Posterior) -> None:
    found = checks.posterior_predictive(ladder, seed=0)
    assert ((found.table["p"] > 0.01) & (found.table["p"] < 0.99)).all()
    assert found.data["posterior_predictive/loss"].dims == ("chain", "draw", "run")
    assert found.data["observed_data/loss"].sizes["run"] == 60
    assert set(ladder.sites) == {str(name) for name in found.data["posterior"].data_vars}
    again = checks.posterior_predictive(ladder, seed=0)
    pd.testing.assert_frame_equal(found.table, again.table)


def test_one_gross_outlier_is_not_what_a_normal_makes() -> None:
    runs, _ = simulated()
    shift = np.zeros(60)
    shift[7] = 0.05
    post = quietly(moved(runs, shift), "chinchilla", likelihood="normal")
    assert checks.posterior_predictive(post).table.loc["greatest residual", "p"] < 0.01


def test_losses_far_from_the_prior_are_seen_before_the_fit(ladder: bs.Posterior) -> None:
    runs = ladder.observed
    assert runs is not None
    fine = checks.prior_predictive(MODEL, runs, seed=0)
    assert 0.05 < fine.table.loc["mean log loss", "p"] < 0.95
    assert fine.data["prior_predictive/loss"].shape == (1, 500, 60)
    far = replace(runs, table=runs.table.assign(loss=10 * runs.loss))
    assert checks.prior_predictive(MODEL, far, seed=0).table.loc["mean log loss", "p"] < 0.01


def test_dependent_rows_are_simulated_together() -> None:
    """Seeds of a configuration share an effect, so their losses go together across tables."""
    sizes = np.repeat(np.geomspace(1e7, 1e9, 8), 3)
    design = {"N": sizes, "D": 20 * sizes[::-1]}
    model = bs.Model.at("chinchilla", pivot={"N": 1e8, "D": 1e10}, likelihood="replicates(by=N)")
    at = {"sigma": 0.001, "nu": 100.0, "effect": 0.02}
    runs = model.simulate(design, seed=0, coordinates=at).runs
    rows = model.observe(runs)
    priors = model.priors.table.items()
    sites = {n: np.full(4000, at.get(n, float(p.scipy().median()))) for n, p in priors}
    log_loss = _pointwise.replicate(model, sites, rows, np.random.default_rng(0))
    residual = log_loss - _pointwise.fitted(model, sites, rows).law
    correlation = np.corrcoef(residual.T)
    expected = 0.02**2 / (0.02**2 + 0.001**2 * 100 / 98)
    assert correlation[0, 1] == pytest.approx(expected, abs=0.01)
    assert abs(correlation[0, 3]) < 5 / np.sqrt(4000)
    assert residual.std() == pytest.approx(np.hypot(0.02, 0.001), rel=0.05)


# --- sensitivity


def test_the_floor_is_the_prior_s_where_nothing_bends() -> None:
    """Over a tenth of a decade of D a power law with a floor is a straight line."""
    design = {"D": np.geomspace(1e9, 1.3e9, 40)}
    model = bs.Model.at("power_D", pivot={"D": 1.14e9})
    at = {"sigma": 0.003, "nu": 5.0, "alpha": 0.3, "floor_fraction": 0.6}
    runs = model.simulate(design, seed=1, coordinates=at).runs
    post = quietly(runs, model)
    table = checks.sensitivity(post)
    assert table.loc["E", "diagnosis"] == "the prior's"
    assert table.loc["sigma", "sd_ratio"] < 0.3
    assert warned(post, "E is the prior's, not the data's")


def test_the_floor_is_the_data_s_where_the_runs_reach_it() -> None:
    model = bs.Model.at("power_D", pivot={"D": 1e10})
    at = {"sigma": 0.003, "nu": 5.0, "alpha": 0.5, "floor_fraction": 0.7}
    design = {"D": np.geomspace(1e7, 1e13, 60)}
    post = quietly(model.simulate(design, seed=1, coordinates=at).runs, model)
    table = checks.sensitivity(post)
    assert table.loc["E", "sd_ratio"] < 0.1
    assert table.loc["E", "diagnosis"] == "the data's"
    assert not warned(post, "E is the prior's")


def test_sensitivities_are_arviz_s(ladder: bs.Posterior) -> None:
    model, _ = ladder.fitted_model
    dims = ("chain", "draw")
    alpha = np.log(ladder.draws["alpha"].to_numpy())
    groups = {
        "posterior": {"alpha": alpha},
        "log_prior": {"all": _pointwise.log_prior(model, ladder.sites).reshape(alpha.shape)},
        "log_likelihood": {"y": ladder.log_likelihood().sum(axis=1).reshape(alpha.shape)},
    }
    tree = xr.DataTree.from_dict(
        {g: xr.Dataset({n: (dims, v) for n, v in d.items()}) for g, d in groups.items()}
    )
    theirs = arviz_stats.psense_summary(tree, round_to=10).loc["alpha"]
    ours = checks.sensitivity(ladder).loc["alpha"]
    assert ours["prior"] == pytest.approx(theirs["prior"], abs=1e-9)
    assert ours["likelihood"] == pytest.approx(theirs["likelihood"], abs=1e-9)


def test_an_exponent_of_which_the_runs_say_nothing_is_named() -> None:
    runs, _ = simulated()
    table = runs.table.assign(N=1e8 * np.exp(0.01 * np.sin(np.arange(60))))
    post = quietly(replace(runs, table=table.drop(columns="C")), "chinchilla")
    sentences = warned(post, "the runs say nothing about")
    assert any("alpha" in sentence for sentence in sentences)
    assert not any("beta:" in sentence for sentence in sentences)


def test_sizes_that_follow_each_other_are_named() -> None:
    runs, _ = simulated()
    with pytest.warns(bs.errors.RunsWarning, match="D/N is the same"):
        post = quietly(replace(runs, table=runs.table.assign(D=20 * runs.table["N"])), "chinchilla")
    (sentence,) = warned(post, "D follows N in all runs")
    assert "(D ~ N^1.00)" in sentence


# --- influence


def test_one_run_repeated_at_the_end_moves_the_posterior() -> None:
    runs, _ = simulated(count=30)
    # Beyond the others in N, and 3% below the law that made them.
    made = MODEL.simulate({"N": np.full(4, 1e10), "D": np.full(4, 1e10)}, seed=1, coordinates=TRUTH)
    far = made.runs.table.assign(run="the far one", loss=0.97 * made.runs.loss)
    table = pd.concat([runs.table, far], ignore_index=True)
    post = quietly(replace(runs, table=table), "chinchilla", likelihood="normal")
    found = checks.influence(post)
    assert found.index[0] == "the far one"
    assert found.iloc[0]["pareto_k"] > 0.7
    assert found.iloc[0]["rows"] == 4
    (sentence,) = (note for note in post.diagnosis.notes if "alone move" in note)
    assert sentence.startswith("'the far one'")


def test_leave_one_out_of_a_linear_model_is_the_closed_form() -> None:
    """Known noise, conjugate prior: the leave-one-out predictive is Gaussian."""
    rng = np.random.default_rng(0)
    x = np.column_stack([np.ones(40), rng.normal(size=40)])
    y = x @ [1.0, 0.5] + 0.3 * rng.normal(size=40)
    precision = x.T @ x / 0.09 + np.eye(2)
    draws = rng.multivariate_normal(
        np.linalg.solve(precision, x.T @ y / 0.09), np.linalg.inv(precision), 20_000
    )
    log_likelihood = stats.norm(draws @ x.T, 0.3).logpdf(y)
    codes = np.repeat(np.arange(20), 2)  # two rows a run
    found = _loo.leave_one_out(log_likelihood, codes)
    for unit in range(20):
        left, kept = codes == unit, codes != unit
        reduced = x[kept].T @ x[kept] / 0.09 + np.eye(2)
        mean = x[left] @ np.linalg.solve(reduced, x[kept].T @ y[kept] / 0.09)
        cov = x[left] @ np.linalg.inv(reduced) @ x[left].T + 0.09 * np.eye(2)
        exact = stats.multivariate_normal(mean, cov).logpdf(y[left])
        assert found.elpd[unit] == pytest.approx(exact, abs=0.03)
    assert found.pareto_k.max() < 0.7


def test_rows_of_one_run_are_left_out_together() -> None:
    rows = MODEL.observe(simulated(count=7)[0])
    names = np.array(["a", "b", "a", "c", "b", "a", "d"])
    codes, labels = _loo.units(names, [(MODEL, rows)])
    assert labels == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(codes, [0, 1, 0, 2, 1, 0, 3])


def test_runs_that_depend_on_each_other_are_left_out_together() -> None:
    sizes = np.repeat([1e7, 1e8, 1e9], 2)
    runs = bs.read_runs(pd.DataFrame({"N": sizes, "D": 20 * sizes, "loss": np.arange(3.0, 9.0)}))
    model = bs.Model.for_runs("chinchilla", runs, likelihood="replicates(by=N)")
    names = runs.column("run").astype(str)
    codes, labels = _loo.units(names, [(model, model.observe(runs))])
    assert len(labels) == 3
    np.testing.assert_array_equal(codes, [0, 0, 1, 1, 2, 2])
    names[1] = names[2]  # a run that ties two groups together
    assert len(_loo.units(names, [(model, model.observe(runs))])[1]) == 2


def test_given_draws_cannot_be_checked() -> None:
    draws = {"E": np.ones(8), "A": np.ones(8), "alpha": np.full(8, 0.3)}
    given = bs.Posterior.from_draws("power_D", draws)
    for check in (
        checks.residual_trends,
        checks.posterior_predictive,
        checks.sensitivity,
        checks.influence,
    ):
        with pytest.raises(UsageError, match="came without a likelihood or without runs"):
            check(given)
