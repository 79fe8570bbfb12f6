"""`fit_groups`: exact answers, limits, recovery, borrowed strength, files, sentences."""

import runpy
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayescale as bs
from bayescale.diagnosis import Diagnosis
from bayescale.errors import DiagnosticsWarning, PosteriorFileError, RunsError, UsageError
from bayescale.fitting.groups import fit_groups, group_model, with_groups
from bayescale.models.draws import Draws
from bayescale.models.model import geometric_mean
from bayescale.posteriors.checks.gate import judged_posterior
from bayescale.posteriors.groups import GroupPosterior
from bayescale.posteriors.labelled import record_of, to_tree
from bayescale.posteriors.posterior import Posterior
from bayescale.runs.table import Runs

poolings = SimpleNamespace(
    **runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "poolings.py"))
)
PIVOT = {"N": 1e8, "D": 1e10}
NAMES = ("a", "b", "c", "d", "e", "f")
TRUTH = {
    "L_pivot": 2.7,
    "floor_fraction": 0.6,
    "share_N": 0.5,
    "alpha": 0.34,
    "beta": 0.3,
    "sigma": 0.004,
    "nu": 20.0,
    "L_pivot_spread": 0.15,
    "floor_fraction_spread": 0.2,
    "share_N_spread": 0.2,
    "alpha_spread": 0.15,
    "beta_spread": 0.15,
    "sigma_spread": 0.2,
}
SMALL = "f"
"""The group with four runs."""


def quietly(runs: Runs, *args: Any, **options: Any) -> GroupPosterior:
    """A fit in spite of what the gate warns of, such as one run of three that moves a group."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiagnosticsWarning)
        return fit_groups(runs, *args, **options)


@pytest.fixture(scope="module")
def simulated() -> tuple[Runs, dict[str, np.ndarray]]:
    """Six groups of 12 runs, but for one of 4, and the groups' true coordinates."""
    rng = np.random.default_rng(2)
    counts = [4 if name == SMALL else 12 for name in NAMES]
    corpus = np.repeat(NAMES, counts)
    design = {
        "N": 1e8 * np.exp(rng.uniform(-3, 3, len(corpus))),
        "D": 1e10 * np.exp(rng.uniform(-3, 3, len(corpus))),
        "corpus": corpus,
    }
    model = bs.Model.at("chinchilla", pivot=PIVOT).pooled("corpus", NAMES)
    made = model.simulate(pd.DataFrame(design), seed=3, coordinates=TRUTH)
    assert model.pooling is not None
    sites = {n: v if model.shapes[n] else np.array([v]) for n, v in made.coordinates.items()}
    truth = model.pooling.in_groups(sites, model.priors, np.arange(6), np)
    # At the pivot of the table, where the fit has its coordinates.
    pivot = {name: np.log(geometric_mean(made.runs.column(name))) for name in PIVOT}
    parameters = model.parameters(truth, np)
    return made.runs, truth | model.law.chart.to_coordinates(parameters, pivot, np)


@pytest.fixture(scope="module")
def fitted(simulated: tuple[Runs, dict[str, np.ndarray]]) -> GroupPosterior:
    """By NUTS: for slow tests."""
    return quietly(simulated[0], seed=0)


@pytest.fixture(scope="module")
def made(simulated: tuple[Runs, dict[str, np.ndarray]]) -> GroupPosterior:
    """Independent draws around the truth, in place of a fit: for what is done with draws."""
    runs, rng = simulated[0], np.random.default_rng(0)
    model = bs.Model.at("chinchilla", pivot=PIVOT).pooled("corpus", NAMES)
    offset = rng.standard_normal(6)
    sites = {
        name: TRUTH[name] * np.exp(0.02 * rng.standard_normal((4, 500)))
        if shape == ()
        else offset + 0.05 * rng.standard_normal((4, 500, 6))
        for name, shape in model.shapes.items()
    }
    tree = to_tree(model, runs, Draws(sites, {"lp": rng.standard_normal((4, 500))}))
    record = record_of(runs, engine="numpyro", seed=0, draws=Draws(sites, {}))
    return GroupPosterior(Posterior(model.law, model, tree, Diagnosis(), record))


# --- exact answers: levels only, known noise, all Gaussian

NOISE, FIXED = 0.1, {"floor_fraction": 0.6, "alpha": 0.3, "sigma": 0.1}


def _levels(spread: float = 0.2) -> tuple[Runs, np.ndarray, np.ndarray]:
    """Runs, the mean log level of each group and the number of its runs."""
    rng = np.random.default_rng(0)
    counts = np.array([1, 2, 4, 8, 3])
    group = np.repeat(np.arange(5), counts)
    sizes = 1e10 * np.exp(rng.uniform(-2, 2, len(group)))
    pivot = np.exp(np.mean(np.log(sizes)))
    shape = np.log(0.6 + 0.4 * (sizes / pivot) ** -0.3)
    level = 1.0 + spread * rng.standard_normal(5)[group] + NOISE * rng.standard_normal(len(group))
    table = {"D": sizes, "loss": np.exp(level + shape), "corpus": np.array(list("abcde"))[group]}
    means = np.bincount(group, weights=level) / counts
    return bs.read_runs(pd.DataFrame(table)), means, counts


def _conjugate(
    means: np.ndarray, counts: np.ndarray, spread: float, centre: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray, float]:
    """Posterior mean and covariance of group levels and, last, the population's; log evidence."""
    size = len(means) + 1
    to_levels = np.hstack([np.eye(size - 1), np.ones((size - 1, 1))])
    prior = np.diag([*np.full(size - 1, spread**2), centre[1] ** 2])
    data = np.diag(NOISE**2 / counts)
    marginal = to_levels @ prior @ to_levels.T + data
    gain = prior @ to_levels.T @ np.linalg.inv(marginal)
    at = np.append(np.zeros(size - 1), centre[0])
    mean = at + gain @ (means - centre[0])
    covariance = prior - gain @ to_levels @ prior
    out = np.vstack([to_levels, np.eye(size)[-1]])
    evidence = stats.multivariate_normal(np.full(size - 1, centre[0]), marginal).logpdf(means)
    return out @ mean, out @ covariance @ out.T, float(evidence)


def _compare(post: GroupPosterior, mean: np.ndarray, covariance: np.ndarray) -> None:
    draws = np.log(post.coordinates["L_pivot"]).reshape(-1, 5)
    ours = np.column_stack([draws, np.log(post.joint.draws["L_pivot"].to_numpy()).ravel()])
    sd = np.sqrt(np.diag(covariance))
    # Four standard errors at the ESS of 1000 at which sampling stops.
    assert np.all(np.abs(ours.mean(axis=0) - mean) < 4 * sd / np.sqrt(1000))
    np.testing.assert_allclose(ours.std(axis=0), sd, rtol=4 / np.sqrt(2 * 1000) + 0.01)


def _fit_levels(runs: Runs, **prior: bs.Prior | float) -> GroupPosterior:
    return quietly(runs, "power_D", likelihood="normal", prior={**FIXED, **prior}, seed=1)


@pytest.mark.slow
def test_levels_with_a_known_spread_have_the_conjugate_posterior() -> None:
    runs, means, counts = _levels()
    post = _fit_levels(runs, L_pivot_spread=0.2)
    centre = (float(np.log(np.median(runs.loss))), 0.2)
    _compare(post, *_conjugate(means, counts, 0.2, centre)[:2])


def test_levels_with_an_unknown_spread_have_the_posterior_of_a_grid() -> None:
    runs, means, counts = _levels()
    post = _fit_levels(runs)
    centre = (float(np.log(np.median(runs.loss))), 0.2)
    grid = np.linspace(1e-3, 1.5, 1500)
    parts = [_conjugate(means, counts, float(s), centre) for s in grid]
    weight = np.array([part[2] for part in parts]) + stats.halfnorm(scale=0.3).logpdf(grid)
    weight = np.exp(weight - weight.max())
    weight /= weight.sum()
    each = np.stack([part[0] for part in parts])
    mean = weight @ each
    within = np.einsum("s,sij->ij", weight, np.stack([part[1] for part in parts]))
    _compare(post, mean, within + (each - mean).T @ (weight[:, None] * (each - mean)))
    row = post.summary().loc["L_pivot_spread"]
    expected = weight @ grid
    sd = np.sqrt(weight @ (grid - expected) ** 2)
    assert abs(row["mean"] - expected) < 4 * sd / np.sqrt(1000)


@pytest.mark.slow
def test_without_spread_the_groups_are_one_table() -> None:
    runs, _, _ = _levels(spread=0.0)
    post = _fit_levels(runs, L_pivot_spread=1e-4)
    one = bs.fit(runs, "power_D", likelihood="normal", prior=FIXED, seed=1)
    ours, theirs = (p.summary(coordinates=True).loc["L_pivot"] for p in (post.group("a"), one))
    assert abs(ours["mean"] - theirs["mean"]) < 4 * theirs["sd"] * np.sqrt(2 / 1000)
    assert ours["sd"] == pytest.approx(theirs["sd"], rel=0.1)


@pytest.mark.slow
def test_a_separate_coordinate_is_fitted_alone() -> None:
    runs, _, _ = _levels()
    post = quietly(runs, "power_D", likelihood="normal", prior=FIXED, separate=("L_pivot",), seed=1)
    base = bs.Model.for_runs("power_D", runs, likelihood="normal", prior=FIXED)
    for name in ("b", "d"):
        alone = bs.fit(runs.select(runs.column("corpus") == name), base, seed=1)
        ours, theirs = (
            p.summary(coordinates=True).loc["L_pivot"] for p in (post.group(name), alone)
        )
        assert abs(ours["mean"] - theirs["mean"]) < 4 * theirs["sd"] * np.sqrt(2 / 1000)
        assert ours["sd"] == pytest.approx(theirs["sd"], rel=0.1)


# --- a whole law


@pytest.mark.slow
def test_the_truth_and_its_spreads_are_recovered(
    simulated: tuple[Runs, dict[str, np.ndarray]], fitted: GroupPosterior
) -> None:
    _, truth = simulated
    assert fitted.diagnose().status != "refuse", fitted.diagnose()
    covered = []
    for name in fitted.pooling.coordinates:
        draws = fitted.coordinates[name].reshape(-1, 6)
        low, high = np.quantile(draws, [0.05, 0.95], axis=0)
        covered.append((low <= truth[name]) & (truth[name] <= high))
    # 36 intervals of 90% cover at least 27 times but for one table in a thousand, if independent.
    assert np.sum(covered) >= 27
    table = fitted.joint.describe(
        {n: fitted.joint.draws[n].to_numpy() for n in TRUTH if n.endswith("_spread")}
    )
    for name, row in table.iterrows():
        draws = fitted.joint.draws[str(name)].to_numpy()
        low, high = np.quantile(draws, [0.002, 0.998])
        assert low <= TRUTH[str(name)] <= high, (name, row)


@pytest.mark.slow
def test_a_small_group_borrows_strength(
    simulated: tuple[Runs, dict[str, np.ndarray]], fitted: GroupPosterior
) -> None:
    runs, truth = simulated
    model = fitted.model.alone()
    assert model.priors.pivot["N"] == pytest.approx(geometric_mean(runs.column("N")))
    alone = quietly(runs, separate=fitted.pooling.coordinates, draws=1000, seed=0)
    far = {"N": 3e9, "D": 3e11}
    mine = {n: v[-1] for n, v in truth.items() if n in model.law.chart.names}
    exact = model.law.loss(**far, **model.law.values(model.parameters(mine, np)))
    ours, theirs = (
        np.quantile(post.group(SMALL).predict(**far, force=True).draws, [0.05, 0.95])
        for post in (fitted, alone)
    )
    assert np.ptp(ours) < 0.8 * np.ptp(theirs)
    assert ours[0] <= float(exact) <= ours[1]


def test_a_group_summarises_predicts_and_plans(made: GroupPosterior) -> None:
    post = made.group("a")
    assert post.model == made.model.alone()
    assert post.record["n_runs"] == 12
    assert post.runs is not None
    assert len(post.runs) == 12
    table = made.summary(groups=True)
    pd.testing.assert_frame_equal(table.loc["a"], post.summary())
    assert set(table.index.get_level_values("group")) == set(NAMES)
    planned = bs.plan(post, compute=1e20)
    assert planned.trusted
    np.testing.assert_allclose(
        6 * planned.recommended["N"] * planned.recommended["D"], 1e20, rtol=1e-9
    )
    assert post.predict(N=1e9, D=1e10, noise=True).draws.shape[1] == 1


def test_an_unseen_group_is_less_certain_than_the_population(made: GroupPosterior) -> None:
    new, centre = made.new_group(seed=0), made.population
    widths = [p.summary(coordinates=True)["sd"] for p in (new, centre)]
    for name in ("L_pivot", "alpha", "beta"):
        assert widths[0][name] > widths[1][name]
    assert new.predict(N=1e9, D=1e10).draws.std() > centre.predict(N=1e9, D=1e10).draws.std()
    again, other = made.new_group(seed=0), made.new_group(seed=1)
    np.testing.assert_array_equal(new.draws["alpha"], again.draws["alpha"])
    assert not np.array_equal(new.draws["alpha"], other.draws["alpha"])


def test_the_tree_and_the_summary_name_groups_and_spreads(made: GroupPosterior) -> None:
    groups = made.data["groups"]
    assert groups["alpha"].dims == ("chain", "draw", "group")
    assert list(groups["group"].to_numpy()) == list(NAMES)
    e = groups["E"].sel(group="b").to_numpy()
    np.testing.assert_array_equal(e, made.group("b").draws["E"].to_numpy())
    rows = list(made.summary().index)
    assert rows[rows.index("alpha") + 1] == "alpha_spread"
    assert {"r_hat", "ess_bulk"} <= set(made.summary().columns)
    assert repr(made).startswith("GroupPosterior('chinchilla', 6 groups, 4 x ")


def test_a_loaded_posterior_of_groups_is_the_same(made: GroupPosterior, tmp_path: Path) -> None:
    loaded = GroupPosterior.load(made.save(tmp_path / "groups.nc"))
    assert loaded.model == made.model
    assert loaded.groups == made.groups
    assert loaded.diagnose() == made.diagnose()
    pd.testing.assert_frame_equal(loaded.summary(), made.summary())
    ours, theirs = (p.group("c").predict(N=1e9, D=1e10, noise=True) for p in (loaded, made))
    np.testing.assert_array_equal(ours.draws, theirs.draws)
    single = made.group("a").save(tmp_path / "single.nc")
    with pytest.raises(PosteriorFileError, match="holds a posterior without groups"):
        GroupPosterior.load(single)


@pytest.mark.slow
def test_shared_exponents_are_the_same_in_every_group(
    simulated: tuple[Runs, dict[str, np.ndarray]],
) -> None:
    post = quietly(simulated[0], shared=("alpha", "beta"), draws=100, seed=0)
    assert np.ptp(post.coordinates["alpha"], axis=-1).max() == 0
    assert np.ptp(post.coordinates["L_pivot"], axis=-1).min() > 0
    assert "alpha_spread" not in post.summary().index


@pytest.mark.slow
def test_runs_seen_in_several_groups_share_an_effect() -> None:
    """A table in any order gives one answer, also where the noise differs between groups."""
    rng = np.random.default_rng(5)
    sizes = 1e10 * np.exp(rng.uniform(-3, 3, 12))
    effect = 0.02 * rng.standard_normal(12)
    parts = [
        pd.DataFrame({"D": sizes, "model": [f"m{i}" for i in range(12)], "corpus": name}).assign(
            loss=np.exp(1.0 + shift + effect + noise * rng.standard_normal(12))
            * (0.6 + 0.4 * (sizes / 1e10) ** -0.3)
        )
        for name, shift, noise in (("a", 0.0, 0.001), ("b", 0.2, 0.004), ("c", -0.1, 0.002))
    ]
    table = pd.concat(parts, ignore_index=True)
    summaries = []
    for shuffled in (table, table.sample(frac=1.0, random_state=0, ignore_index=True)):
        runs = bs.read_runs(shuffled)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DiagnosticsWarning)
            post = fit_groups(runs, "power_D", likelihood="shared(column=model)", draws=500, seed=0)
        summaries.append(post.summary())
    one, other = summaries
    assert one.loc["effect", "q05"] < 0.02 < one.loc["effect", "q95"] * 1.5
    gap = (one["mean"] - other["mean"]).abs() / one["sd"]
    assert gap.max() < 0.5


# --- comparison


@pytest.mark.slow
def test_three_ways_of_sharing_are_scored_on_held_out_runs(
    simulated: tuple[Runs, dict[str, np.ndarray]],
) -> None:
    runs, _ = simulated
    table = poolings.pooling_comparison(
        runs, groups="corpus", held_out=lambda table: table["C"] > table["C"].quantile(0.8)
    )
    totals = table.xs(poolings.ALL, level="group")
    assert list(totals.index) == ["shared exponents", "partial pooling", "separate fits"]
    assert len(set(totals["n_runs"])) == 1
    assert totals.loc["partial pooling", "log_score"] > totals.loc["separate fits", "log_score"]


def test_a_group_that_is_held_out_whole_is_named(
    simulated: tuple[Runs, dict[str, np.ndarray]],
) -> None:
    with pytest.raises(RunsError, match="all runs of group f are held out"):
        poolings.pooling_comparison(
            simulated[0], groups="corpus", held_out=lambda table: table["corpus"] == "f"
        )


# --- the gate


def test_each_group_is_judged_as_its_table_alone() -> None:
    """Two halves of one table, nothing pooled: the joint posterior is that of two single fits."""
    runs = bs.load("tiny_lm")
    halves = np.where(np.arange(len(runs)) % 2, "odd", "even")
    table = Runs(runs.table.assign(half=halves), "halves")
    every = ("L_pivot", "floor_fraction", "share_N", "alpha", "beta", "sigma")
    model = group_model(table, "chinchilla", "half", separate=every)
    alone = bs.Model.for_runs("chinchilla", table)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiagnosticsWarning)
        single = {
            name: bs.fit(table.select(halves == name), alone, engine="laplace")
            for name in ("even", "odd")
        }
    sites = {name: np.full((4, 1000), value) for name, value in model.fixed.items()}
    sites["nu"] = single["even"].draws["nu"].to_numpy()
    assert model.pooling is not None
    for name in every:
        support = model.pooling.support(name, model.priors)
        draws = np.stack([post.draws[name].to_numpy() for post in single.values()], axis=-1)
        offset = support.to_real(draws, np) - support.to_real(model.fixed[name], np)
        sites[f"{name}_offset"] = offset / model.fixed[f"{name}_spread"]
    facts = {"pareto_k": 0.1, "importance_ess": 4e3, "mode_agreeing": 4, "mode_starts": 4}
    draws = Draws({name: sites[name] for name in model.priors.table}, {}, facts)
    joint = judged_posterior(model, table, draws, engine="laplace", seed=0)
    trends = [s for s in joint.diagnosis.reasons if "the residuals follow" in s]
    assert [s[: s.index("(p")] for s in trends] == [
        f"group '{name}': the residuals follow log N x log D " for name in ("even", "odd")
    ]
    for name, post in single.items():
        group = GroupPosterior(joint).group(name)
        ours, theirs = (bs.checks.residual_trends(one) for one in (group, post))
        # The same draws but for nu, and other simulated tables.
        np.testing.assert_allclose(ours["size"], theirs["size"], rtol=0.1)


def test_what_is_not_pooled_has_a_prior_of_its_own(
    simulated: tuple[Runs, dict[str, np.ndarray]],
) -> None:
    model = group_model(simulated[0], "chinchilla", "corpus", separate=("alpha", "floor_fraction"))
    rng = np.random.default_rng(0)
    sites = {
        name: np.full((2, 50), prior.arguments["value"])
        if prior.is_fixed
        else prior.sample(rng, (2, 50, *model.shapes[name]))
        for name, prior in model.priors.table.items()
    }
    record = record_of(simulated[0], engine="numpyro", seed=0, draws=Draws(sites, {}))
    tree = to_tree(model, simulated[0], Draws(sites, {}))
    post = GroupPosterior(Posterior(model.law, model, tree, Diagnosis(), record))
    own, default = post.group("a").model, bs.Model.for_runs("chinchilla", simulated[0])
    assert own is not None
    assert not own.fixed
    for name in ("alpha", "floor_fraction"):
        ours, theirs = (m.priors.table[name] for m in (own, default))
        assert ours.family == theirs.family
        # From the quantiles at one sd on either side, of a distribution that is nearly Normal.
        for key, value in theirs.arguments.items():
            assert ours.arguments[key] == pytest.approx(value, rel=0.05)


def test_a_model_brings_its_own_likelihood_drift_and_priors(
    simulated: tuple[Runs, dict[str, np.ndarray]],
) -> None:
    runs = simulated[0]
    given = bs.Model.for_runs(
        "chinchilla", runs, likelihood="normal", prior={"beta": 0.3}, drift=None
    )
    model = group_model(runs, given, "corpus", prior={"alpha": 0.35})
    assert model.alone() == replace(given, priors=given.priors.replace({"alpha": 0.35}))
    assert group_model(runs, "chinchilla", "corpus", drift=None).drift is None
    with pytest.raises(UsageError, match=r"^likelihood='studentt' was given beside a model"):
        fit_groups(runs, given, likelihood="studentt")
    with pytest.raises(UsageError, match=r"^the model is pooled by column 'corpus' already"):
        fit_groups(runs, model)


# --- sentences


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"groups": "corpsu"}, RunsError, "corpsu"),
        ({"groups": ()}, UsageError, "groups names no column"),
        ({"groups": "one"}, UsageError, "names 1 group; pooling needs at least two"),
        ({"shared": ("alhpa",)}, UsageError, r"shared= names 'alhpa'.*Did you mean 'alpha'"),
        ({"separate": ("E",)}, UsageError, "separate= names 'E'"),
        ({"shared": ("beta",), "separate": ("beta",)}, UsageError, "only be one of them"),
        ({"prior": {"alpha_spred": 0.1}}, UsageError, "Did you mean 'alpha_spread'"),
        ({"engine": "numpyr"}, UsageError, "Did you mean 'numpyro'"),
        ({"chains": 0}, UsageError, "chains must be at least 1; got 0"),
        ({"draws": 1}, UsageError, "draws must be at least 4; got 1"),
        ({"seed": -1}, UsageError, "seed must be at least 0; got -1"),
    ],
)
def test_wrong_options_get_their_sentence(
    simulated: tuple[Runs, dict[str, np.ndarray]],
    options: dict,
    error: type[Exception],
    sentence: str,
) -> None:
    runs = simulated[0]
    given = Runs(runs.table.assign(one="x"), "mine")
    with pytest.raises(error, match=sentence):
        fit_groups(given, **options)


def test_all_coordinates_shared_is_no_hierarchy(
    simulated: tuple[Runs, dict[str, np.ndarray]],
) -> None:
    every = ("L_pivot", "floor_fraction", "share_N", "alpha", "beta", "q", "sigma")
    with pytest.raises(UsageError, match="so the groups do not differ"):
        fit_groups(simulated[0], shared=every)


def test_a_row_without_a_group_is_named(simulated: tuple[Runs, dict[str, np.ndarray]]) -> None:
    runs = simulated[0]
    corpus = runs.table["corpus"].astype(object).where(np.arange(len(runs)) != 2, None)
    with pytest.raises(RunsError, match="column 'corpus' names no group in row 3"):
        fit_groups(Runs(runs.table.assign(corpus=corpus), "mine"))


def test_several_columns_make_one_group(simulated: tuple[Runs, dict[str, np.ndarray]]) -> None:
    runs = simulated[0]
    given = Runs(runs.table.assign(seen=["x", "y"] * (len(runs) // 2)), "mine")
    joined, column = with_groups(given, ("corpus", "seen"))
    assert column == "corpus+seen"
    assert set(joined.column(column)) == {f"{a}/{b}" for a in NAMES for b in "xy"}


def test_an_unknown_group_gets_the_nearest_name(made: GroupPosterior) -> None:
    with pytest.raises(UsageError, match="no group called 'g'; there are a, b, c, d, e, f"):
        made.group("g")
