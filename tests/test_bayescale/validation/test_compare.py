"""Scores on held-out runs, and posteriors compared by leaving runs out."""

import inspect
import warnings
from dataclasses import replace

import arviz_stats
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import bayescale as bs
from bayescale.cli.commands.compare import compare as command
from bayescale.errors import DiagnosticsRefused, DiagnosticsWarning, RunsError, UsageError
from bayescale.validation.compare import compare
from bayescale.validation.hold_out import hold_out


def _exact(post: bs.Posterior) -> bs.Posterior:
    """The same posterior, of a law that is taken as exact beyond the runs."""
    assert post.model is not None
    return replace(post, model=replace(post.model, drift=None))


def test_the_log_score_is_the_mixture_of_the_draws(ladder: bs.Posterior) -> None:
    runs = _new_runs(ladder)
    score = hold_out(_exact(ladder), runs)
    draws = {name: ladder.draws[name].to_numpy().ravel() for name in ladder.draws}
    mean = np.log(
        draws["E"]
        + draws["A"] * runs.column("N")[:, None] ** -draws["alpha"]
        + draws["B"] * runs.column("D")[:, None] ** -draws["beta"]
    )
    density = stats.t(draws["nu"], mean, draws["sigma"]).pdf(np.log(runs.loss)[:, None])
    assert score.log_score == pytest.approx(np.log(density.mean(axis=1)).mean(), rel=1e-10)
    error = np.median(mean, axis=1) - np.log(runs.loss)
    # The predicted median includes simulated noise; its Monte Carlo error is small beside 1%.
    assert score.rmse == pytest.approx(np.sqrt(np.mean(error**2)), rel=0.1)
    assert score.n_runs == len(runs)


def test_runs_from_the_fitted_law_are_covered(ladder: bs.Posterior) -> None:
    score = hold_out(_exact(ladder), _new_runs(ladder, count=400))
    # Binomial error of 400 runs at 0.9 is 0.015.
    assert 0.84 < score.coverage < 0.96


def test_nothing_held_out_is_an_error(ladder: bs.Posterior) -> None:
    runs = _new_runs(ladder)
    with pytest.raises(RunsError, match="no run is held out"):
        hold_out(ladder, runs.select(np.zeros(len(runs), dtype=bool)))


def test_given_draws_score_nothing(ladder: bs.Posterior) -> None:
    given = bs.Posterior.from_draws(
        "power_D", {"E": np.ones(3), "A": np.ones(3), "alpha": np.full(3, 0.3)}
    )
    with pytest.raises(UsageError, match="without a likelihood"):
        hold_out(given, _new_runs(ladder))


def _new_runs(post: bs.Posterior, count: int = 30) -> bs.Runs:
    assert post.model is not None
    rng = np.random.default_rng(5)
    design = {
        "N": 1e8 * np.exp(rng.uniform(-3, 3, count)),
        "D": 1e10 * np.exp(rng.uniform(-3, 3, count)),
    }
    at = {name: float(post.draws[name].median()) for name in post.model.priors.table}
    return post.model.simulate(design, seed=6, coordinates=at).runs


# --- leave-one-out


@pytest.fixture(scope="module")
def normal(ladder: bs.Posterior) -> bs.Posterior:
    """The same runs with a Normal likelihood."""
    return bs.fit(ladder.observed, "chinchilla", likelihood="normal", engine="laplace", seed=0)


@pytest.fixture(scope="module")
def one_sized(ladder: bs.Posterior) -> bs.Posterior:
    """The same runs with a law that knows of D alone, so that it predicts worse."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiagnosticsWarning)
        return bs.fit(ladder.observed, "power_D", engine="laplace", seed=0)


def test_the_true_law_predicts_runs_left_out_best(
    ladder: bs.Posterior, normal: bs.Posterior, one_sized: bs.Posterior
) -> None:
    table = compare({"one size": one_sized, "normal": normal, "truth": ladder}, by="loo")
    assert list(table.columns) == [
        "elpd",
        "se",
        "difference",
        "se_difference",
        "p_loo",
        "pareto_k",
        "weight",
        "reliable",
        "status",
    ]
    assert table.index[-1] == "one size"
    assert table.iloc[0]["difference"] == table.iloc[0]["se_difference"] == 0
    last = table.loc["one size"]
    assert last["difference"] < -5 * last["se_difference"]
    assert last["weight"] < 0.05
    assert table["weight"].sum() == pytest.approx(1.0)
    assert table["reliable"].all()
    # The law of one size forecasts its own larger runs badly, and the gate warns of it.
    assert table["status"].to_dict() == {"truth": "ok", "normal": "ok", "one size": "warn"}
    # Five parameters of the law and two of the noise; heavy tails hide part of one.
    assert 4 < table.loc["truth", "p_loo"] < 8


def test_the_numbers_are_arviz_s(ladder: bs.Posterior, normal: bs.Posterior) -> None:
    trees = {}
    for name, post in {"t": ladder, "n": normal}.items():
        values = post.log_likelihood().reshape(4, -1, 60)
        groups = {
            "posterior": post.draws[["alpha", "beta"]],
            "log_likelihood": xr.Dataset({"y": (("chain", "draw", "run"), values)}),
        }
        trees[name] = xr.DataTree.from_dict(groups)
    theirs = arviz_stats.compare(trees, round_to="none")
    ours = compare({"t": ladder, "n": normal}, by="loo")
    assert list(ours.index) == list(theirs.index)
    for mine, their in (("elpd", "elpd"), ("se", "se"), ("p_loo", "p"), ("se_difference", "dse")):
        np.testing.assert_allclose(ours[mine], theirs[their], rtol=0.01, atol=0.02)
    np.testing.assert_allclose(ours["weight"], theirs["weight"], atol=0.02)


def test_weights_by_pseudo_bma(ladder: bs.Posterior, one_sized: bs.Posterior) -> None:
    table = compare({"truth": ladder, "one size": one_sized}, by="loo", weights="pseudo-bma")
    assert table.loc["truth", "weight"] > 0.99


def test_leaving_out_by_importance_is_fitting_again_without() -> None:
    """The oracle: 16 refits, each scored on the run it did not see."""
    model = bs.Model.at("power_D", pivot={"D": 1e10}, prior={"nu": 20.0})
    at = {"sigma": 0.01, "alpha": 0.3, "floor_fraction": 0.6, "L_pivot": 2.7}
    runs = model.simulate({"D": np.geomspace(1e8, 1e12, 16)}, seed=2, coordinates=at).runs
    rows = np.arange(16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiagnosticsWarning)
        whole = bs.fit(runs, model, engine="laplace", draws=2500)
        exact = [
            hold_out(
                bs.fit(runs.select(rows != row), model, engine="laplace"),
                runs.select(rows == row),
                force=True,
            ).log_score
            for row in rows
        ]
        table = compare({"a": whole, "b": whole}, by="loo", force=True)
    # Smoothing and draws of a heavy left tail: a tenth of a nat in the sum.
    assert table.loc["a", "elpd"] == pytest.approx(sum(exact), abs=0.3)


def test_a_run_of_several_rows_is_left_out_whole(ladder: bs.Posterior) -> None:
    runs = ladder.observed
    assert runs is not None
    names = [f"run {i // 2}" for i in range(60)]
    paired = replace(runs, table=runs.table.assign(run=names))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiagnosticsWarning)
        posts = {
            law: bs.fit(paired, law, engine="laplace", seed=0) for law in ("chinchilla", "share")
        }
        table = compare(posts, by="loo")
    single = compare({"a": ladder, "b": ladder}, by="loo").loc["a", "elpd"]
    # The same densities but for what the other row of the pair tells.
    assert table.loc["chinchilla", "elpd"] == pytest.approx(single, abs=8.0)
    thirty = posts["chinchilla"].log_likelihood().reshape(-1, 30, 2).sum(axis=2)
    assert table.loc["chinchilla", "elpd"] < stats_mean_exp(thirty)


def stats_mean_exp(log_likelihood: np.ndarray) -> float:
    """Log density of each run given all runs, summed: never below leave-one-out."""
    return float(np.log(np.mean(np.exp(log_likelihood), axis=0)).sum())


def test_a_run_that_cannot_be_left_out_is_said_so(ladder: bs.Posterior) -> None:
    runs = ladder.observed
    assert runs is not None
    half = replace(runs, table=runs.table.assign(run=np.where(runs.column("N") > 1e8, "a", "b")))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiagnosticsWarning)
        post = bs.fit(half, "chinchilla", engine="laplace", seed=0)
    with pytest.warns(DiagnosticsWarning, match=r"for 'one' \(\d of 2 runs, the worst '[ab]'\)"):
        table = compare({"one": post, "two": post}, by="loo")
    assert not table["reliable"].any()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"by": "waic"}, "by is 'waic'; it must be one of lfo, loo"),
        ({"weights": "stackin"}, "weights is 'stackin'.*Did you mean 'stacking'"),
    ],
)
def test_wrong_options_get_their_sentence(
    ladder: bs.Posterior, options: dict, sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        compare({"a": ladder, "b": ladder}, **options)


def test_only_posteriors_of_one_table_compare(ladder: bs.Posterior, refused: bs.Posterior) -> None:
    other = replace(ladder, record={**ladder.record, "data_hash": "0"})
    with pytest.raises(UsageError, match="'a' and 'b' were fitted to different tables"):
        compare({"a": ladder, "b": other})
    with pytest.raises(UsageError, match="there are 1 posteriors"):
        compare({"a": ladder})
    with pytest.raises(DiagnosticsRefused, match="not to be trusted"):
        compare({"a": ladder, "b": refused}, by="loo")
    assert len(compare({"a": ladder, "b": refused}, by="loo", force=True)) == 2


def test_an_interval_s_probability_is_no_density(ladder: bs.Posterior) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiagnosticsWarning)
        rounded = bs.fit(
            ladder.observed, "chinchilla", likelihood="rounded(step=0.01)", engine="laplace"
        )
    with pytest.raises(UsageError, match="'r' gives the probability of an interval and 'a'"):
        compare({"a": ladder, "r": rounded}, force=True)


def test_posteriors_are_compared_in_the_direction_in_which_they_are_stacked() -> None:
    ways = [inspect.signature(one).parameters["by"].default for one in (compare, bs.stack)]
    ways.append(inspect.signature(command).parameters["by"].default)
    assert ways == ["lfo", "lfo", "lfo"]


def test_a_score_says_what_the_gate_says_and_whether_its_intervals_held(
    ladder: bs.Posterior, refused: bs.Posterior
) -> None:
    runs = _new_runs(ladder)
    assert hold_out(ladder, runs).diagnosis == ladder.diagnosis
    with pytest.raises(DiagnosticsRefused):
        hold_out(refused, runs)
    assert hold_out(refused, runs, force=True).diagnosis == refused.diagnosis
    far = replace(runs, table=runs.table.assign(loss=1.5 * runs.loss))
    (sentence,) = hold_out(ladder, far).diagnosis.warnings
    assert sentence.startswith("only 0% of the 30 runs held out lie inside the 90% intervals")


def test_long_curves_do_not_overflow() -> None:
    """Thousands of nats a run: what all have in common cancels before ArviZ exponentiates."""
    from bayescale.validation.compare import ranked

    rng = np.random.default_rng(0)
    base = 5000.0 + rng.normal(size=20)
    table = ranked({"a": base + 1.0, "b": base}, "stacking")
    assert table.loc["a", "weight"] > 0.99
    assert table.loc["a", "elpd"] == pytest.approx(float(base.sum()) + 20.0)
    assert isinstance(table, pd.DataFrame)
