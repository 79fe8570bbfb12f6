"""What the noise models do: they draw what they declare, and find again what was put in."""

import warnings
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.gaussian_process.kernels import Matern

import bayescale as bs
from bayescale.distributions.families import FAMILIES
from bayescale.errors import DiagnosticsWarning, RunsWarning
from bayescale.models import likelihoods
from bayescale.models.density import Density
from bayescale.models.likelihoods import LIKELIHOODS
from bayescale.models.model import Model
from bayescale.models.observations import Observations
from theory import laws

PIVOT = {"N": 1e8, "D": 1e10}
LAW = {"L_pivot": 3.2, "floor_fraction": 0.55, "share_N": 0.45, "alpha": 0.33, "beta": 0.29}
NOISE = {
    "sigma": 0.02,
    "nu": 5.0,
    "trend": -0.15,
    "fraction": 0.3,
    "excess": 0.06,
    "gross": 0.1,
    "effect": 0.03,
    "span": 0.4,
    "rough": 1e-3,
    "tilt": 0.0,
    "bend": 0.0,
}
DATA = {"D": PIVOT["D"]}
DEPENDENT = [name for name in LIKELIHOODS if LIKELIHOODS[name].dependent]
INDEPENDENT = [name for name in LIKELIHOODS if not LIKELIHOODS[name].dependent]
every = pytest.mark.parametrize("name", LIKELIHOODS)
USUAL = ("studentt", "curves", "smooth_curves")
compiled = pytest.mark.parametrize(
    "name",
    [n if n in USUAL else pytest.param(n, marks=pytest.mark.slow) for n in LIKELIHOODS],
)
"""Every likelihood, of which a few are compiled or fitted in the default suite."""
dependent = pytest.mark.parametrize("name", DEPENDENT)


def design(rows: int = 12, seed: int = 0) -> pd.DataFrame:
    """Sizes twice each, four checkpoints a run, three orders of the data."""
    rng = np.random.default_rng(seed)
    half = rows // 2
    return pd.DataFrame(
        {
            "N": np.tile(PIVOT["N"] * np.exp(rng.uniform(-3, 3, half)), 2),
            "D": np.tile(PIVOT["D"] * np.exp(rng.uniform(-3, 3, half)), 2),
            "run": [f"run {i // 4}" for i in range(rows)],
            "data_order": [f"order {i % 3}" for i in range(rows)],
            "loss_se": 0.1 * rng.uniform(size=rows),
        }
    )


def given(model: Model, **changed: float) -> dict[str, float]:
    values = LAW | NOISE | changed
    return {name: np.float64(values[name]) for name in model.priors.table}


def simulate(model: Model, table: pd.DataFrame, seed: int, **changed: float) -> bs.Runs:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RunsWarning)  # of rows that belong to one run
        return model.simulate(table, seed=seed, coordinates=given(model, **changed)).runs


def mean_log_loss(model: Model, runs: bs.Runs) -> np.ndarray:
    parameters = model.parameters(given(model), np)
    return model.law.log_loss(parameters, model.observe(runs).log_resources, np)


def test_no_law_of_the_catalogue_has_a_parameter_named_like_a_noise_parameter():
    noise = {parameter for kind in LIKELIHOODS.values() for parameter in kind().priors()}
    for law in laws.catalogue().values():
        assert not noise & set(law.chart.names)


# --- what is drawn is what is declared

EXPECTED = {
    "studentt": lambda size, error: stats.t(5.0, 0, 0.02),
    "normal": lambda size, error: stats.norm(0, 0.02),
    "heteroscedastic": lambda size, error: stats.t(5.0, 0, 0.02 * size**-0.15),
    "measured": lambda size, error: stats.t(5.0, 0, np.hypot(0.02, error)),
    "rounded": lambda size, error: stats.norm(0, 0.02),
}


@pytest.mark.parametrize("name", INDEPENDENT)
def test_residuals_of_simulated_runs_follow_the_declared_distribution(name):
    text = "rounded(step=1e-6)" if name == "rounded" else name
    model = Model.at("chinchilla", pivot=PIVOT, likelihood=text)
    runs = simulate(model, design(20_000), seed=1)
    residual = np.log(runs.loss) - mean_log_loss(model, runs)
    if name == "gross_errors":
        good, bad = stats.t(5.0, 0, 0.02), stats.norm(0, np.hypot(0.02, 0.1))
        ranks = 0.7 * good.cdf(residual) + 0.3 * bad.cdf(residual)
    elif name == "contaminated":
        clean, tail = stats.norm(0, 0.02), stats.exponnorm(3.0, 0, 0.02)
        ranks = 0.7 * clean.cdf(residual) + 0.3 * tail.cdf(residual)
    else:
        size = runs.column("N") * runs.column("D") / (PIVOT["N"] * PIVOT["D"])
        # Losses of 1 stood in when the table was read, so standard errors are relative.
        ranks = EXPECTED[name](size, runs.column("loss_se")).cdf(residual)
    # The seed is fixed; a scale that is off by 3% gives p below 1e-5 at 20,000 runs.
    assert stats.kstest(ranks, "uniform").pvalue > 0.01


@dependent
def test_rows_of_simulated_groups_have_the_declared_covariance(name):
    groups, steps = 300, np.array([1.0, 1.5, 2.0, 4.0])
    model = Model.at("power_D", pivot=DATA, likelihood=name)
    start = PIVOT["D"] * np.exp(np.random.default_rng(0).uniform(-3, 3, groups))
    labels = np.repeat([f"group {i}" for i in range(groups)], 4)
    table = pd.DataFrame({"D": np.repeat(start, 4), "run": labels, "data_order": labels})
    if name != "replicates":
        table["D"] *= np.tile(steps, groups)
    runs = simulate(model, table, seed=1, nu=1e6)
    residual = np.log(runs.loss) - mean_log_loss(model, runs)
    got = np.cov(residual.reshape(groups, 4).T)
    lag = np.abs(np.log(steps[:, None] / steps)) / NOISE["span"]
    smooth = Matern(nu=2.5)(np.log(steps)[:, None] / NOISE["span"])
    alone = {"curves": np.exp(-lag), "smooth_curves": smooth}.get(name, np.eye(4))
    want = NOISE["effect"] ** 2 + NOISE["sigma"] ** 2 * alone
    # A variance of 300 draws has a relative standard error of 8%.
    assert np.abs(got - want).max() < 4 * np.sqrt(2 / groups) * want.max()


@every
def test_a_new_run_scatters_by_all_parts_of_the_noise(name):
    model = Model.at("chinchilla", pivot=PIVOT, likelihood=name)
    new = Observations({"N": np.log([1e8]), "D": np.log([1e10])})
    noise = model.noise(given(model, nu=1e9), new, np)
    frozen = FAMILIES[noise.family].scipy(stats, **noise.arguments)
    draws = frozen.rvs(size=(200_000, 1), random_state=np.random.default_rng(2))
    # At the pivot, where the trend is nothing; e + b x has the variance of both.
    extra = {"contaminated": 0.3 * 0.06**2 * 2 - (0.3 * 0.06) ** 2}
    extra |= {"gross_errors": 0.3 * NOISE["gross"] ** 2}
    extra |= dict.fromkeys(DEPENDENT, NOISE["effect"] ** 2)
    want = np.sqrt(NOISE["sigma"] ** 2 + extra.get(name, 0.0))
    assert draws.std() == pytest.approx(want, rel=0.015)  # the tail makes it 5 standard errors


# --- rows and their order


@every
def test_the_order_of_the_rows_means_nothing(name):
    model = Model.at("chinchilla", pivot=PIVOT, likelihood=name)
    runs = simulate(model, design(), seed=3)
    sites = given(model)
    usual = Density(model).log_likelihood(sites, model.observe(runs), np)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(runs))
        shuffled = replace(runs, table=runs.table.iloc[order].reset_index(drop=True))
        got = Density(model).log_likelihood(sites, model.observe(shuffled), np)
        np.testing.assert_allclose(got, usual[order], rtol=1e-9)  # sums in another order


@compiled
def test_rows_without_weight_change_nothing(name):
    """Rows that fill up belong to groups of their own."""
    model = Model.at("chinchilla", pivot=PIVOT, likelihood=name)
    runs = simulate(model, design(), seed=4)
    more = runs.table.iloc[[0, 1, 2]].assign(
        run=["x", "y", "z"], data_order=["x", "y", "z"], N=[2e8, 3e8, 4e8], loss=[9.0, 3.0, 0.5]
    )
    longer = replace(runs, table=pd.concat([runs.table, more], ignore_index=True))
    short, long = model.observe(runs), model.observe(longer)
    long = long._replace(weight=np.append(np.ones(len(runs)), np.zeros(3)))
    density = Density(model)
    at = jnp.asarray(density.unconstrain(given(model)))
    value, slope = (
        jax.jit(jax.value_and_grad(density.log_density))(at, observed) for observed in (short, long)
    )
    np.testing.assert_allclose(slope[0], value[0], rtol=1e-12)
    np.testing.assert_allclose(slope[1], value[1], rtol=1e-9, atol=1e-9 * np.abs(value[1]).max())


def test_a_diverged_seed_is_judged_by_the_others_and_not_they_by_it():
    model = Model.at("power_D", pivot=DATA, likelihood="replicates")
    table = pd.DataFrame({"D": [1e10] * 4, "run": list("abcd"), "loss": [6.0, 3.01, 3.0, 3.02]})
    rows = model.observe(bs.read_runs(table))
    noise = model.noise(given(model, L_pivot=3.0, sigma=0.003, effect=0.02), rows, np)
    far = np.abs((rows.log_loss - noise.arguments["mu"]) / noise.arguments["sigma"])
    assert far[0] > 100
    assert far[1:].max() < 3


# --- known truth is found again


def fit(runs: bs.Runs, likelihood: str, **prior: float) -> bs.Posterior:
    model = Model.at("power_D", pivot=DATA, level=3.2, likelihood=likelihood, prior=prior)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiagnosticsWarning)  # of single runs that matter
        return bs.fit(runs, model, engine="laplace", seed=0)


def off(post: bs.Posterior, name: str, truth: float) -> float:
    """Error of the posterior mean in posterior sds, of the logarithm of a positive number."""
    draws = post.draws[name].to_numpy()
    draws, truth = (np.log(draws), np.log(truth)) if truth > 0 else (draws, truth)
    return float((draws.mean() - truth) / draws.std())


def width(post: bs.Posterior, name: str) -> float:
    return float(np.ptp(np.quantile(post.draws[name].to_numpy(), [0.05, 0.95])))


def sizes(count: int, each: int = 1) -> pd.DataFrame:
    data = np.repeat(np.geomspace(3e8, 3e11, count), each)
    return pd.DataFrame({"D": data, "run": [f"run {i}" for i in range(len(data))]})


SEEDS = range(3)


@pytest.mark.slow
def test_a_trend_of_the_noise_is_found_and_none_is_found_where_there_is_none():
    model = Model.at("power_D", pivot=DATA, likelihood="heteroscedastic(over=D)")
    for trend in (-0.25, 0.0):
        errors = []
        for seed in SEEDS:
            runs = simulate(model, sizes(60), seed, trend=trend, sigma=0.008)
            post = fit(runs, "heteroscedastic(over=D, at=1e10)")
            errors.append(off(post, "trend", trend))
            if trend:
                assert np.mean(post.draws["trend"] < 0) > 0.99
        assert np.abs(errors).max() < 3  # nine in ten thousand would be beyond, for each


def test_known_errors_of_measurement_are_taken_off_the_noise():
    model = Model.at("power_D", pivot=DATA, likelihood="measured")
    for seed in SEEDS:
        table = sizes(60)
        # Losses of 1 stand in when a design is read: relative errors, made absolute below.
        error = 0.03 * np.random.default_rng(seed).uniform(size=60) ** 2
        runs = simulate(model, table.assign(loss_se=error), seed, sigma=0.004, nu=30.0)
        runs = replace(runs, table=runs.table.assign(loss_se=error * runs.loss))
        known, unknown = fit(runs, "measured"), fit(runs, "studentt")
        assert abs(off(known, "sigma", 0.004)) < 3
        assert off(unknown, "sigma", 0.004) > 2
        assert width(known, "alpha") < width(unknown, "alpha")


@pytest.mark.slow
def test_the_noise_of_the_seed_is_found_and_seeds_are_not_sizes():
    model = Model.at("power_D", pivot=DATA, likelihood="replicates")
    for seed in SEEDS:
        runs = simulate(model, sizes(9, each=6), seed, sigma=0.003, effect=0.012, nu=20.0)
        grouped, independent = fit(runs, "replicates"), fit(runs, "studentt")
        assert abs(off(grouped, "sigma", 0.003)) < 3
        assert abs(off(grouped, "effect", 0.012)) < 3
        assert width(grouped, "alpha") > 1.3 * width(independent, "alpha")


@pytest.mark.slow
def test_what_runs_share_is_found():
    model = Model.at("power_D", pivot=DATA, likelihood="shared")
    for seed in SEEDS:
        order = np.arange(60) % 20
        table = sizes(60).assign(data_order=[f"order {i}" for i in order])
        runs = simulate(model, table, seed, sigma=0.003, effect=0.012, nu=20.0)
        post = fit(runs, "shared")
        assert abs(off(post, "sigma", 0.003)) < 3
        assert abs(off(post, "effect", 0.012)) < 3


@pytest.mark.slow
def test_runs_that_lie_above_the_law_by_accident_do_not_steepen_it():
    """Small runs are undertuned more often: Student-t takes that for a steeper law."""
    model = Model.at("power_D", pivot=DATA, likelihood="normal")
    errors = {"contaminated": [], "studentt": []}
    for seed in range(4):
        rng = np.random.default_rng(seed)
        runs = simulate(model, sizes(80), seed, sigma=0.004)
        bad = rng.random(80) < np.linspace(0.8, 0.05, 80)
        loss = runs.loss * np.exp(bad * rng.exponential(0.02, 80))
        runs = replace(runs, table=runs.table.assign(loss=loss))
        for name, found in errors.items():
            # The floor is held, or it takes up what the exponent does not.
            post = fit(runs, name, floor_fraction=LAW["floor_fraction"])
            found.append(off(post, "alpha", LAW["alpha"]))
    # Unbiased, the mean of four errors would be within 1 twenty times in twenty-one.
    assert abs(np.mean(errors["contaminated"])) < 1
    assert np.mean(errors["studentt"]) > 1.5
    assert np.abs(errors["contaminated"]).max() < 3 < np.abs(errors["studentt"]).max()


@pytest.mark.slow
def test_rounding_is_not_taken_for_noise():
    model = Model.at("power_D", pivot=DATA, likelihood="normal")
    errors = {"rounded(step=0.05)": [], "normal": []}
    for seed in SEEDS:
        runs = simulate(model, sizes(60), seed, sigma=0.002)
        loss = np.round(runs.loss / 0.05) * 0.05
        runs = replace(runs, table=runs.table.assign(loss=loss))
        for name, found in errors.items():
            found.append(off(fit(runs, name, sigma=0.002), "alpha", LAW["alpha"]))
        assert off(fit(runs, "normal"), "sigma", 0.002) > 3  # it takes the rounding for noise
        assert off(fit(runs, "rounded(step=0.05)"), "sigma", 0.002) < 3
    assert np.abs(errors["rounded(step=0.05)"]).max() < 3
    # With the true noise, rounding alone throws the plain Normal off.
    assert np.abs(errors["normal"]).max() > np.abs(errors["rounded(step=0.05)"]).max()


@compiled
def test_a_saved_posterior_keeps_its_likelihood(name, tmp_path):
    text = f"{name}(over=D)" if name == "heteroscedastic" else name
    model = Model.at("power_D", pivot=DATA, level=3.2, likelihood=text)
    # Few runs and few draws: this is about the file.
    table = sizes(20).assign(
        loss_se=0.01, data_order=np.arange(20) % 4, run=[f"run {i % 5}" for i in range(20)]
    )
    runs = simulate(model, table, seed=5, sigma=0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        post = bs.fit(runs, model, engine="laplace", draws=50, seed=0)
    again = bs.Posterior.load(post.save(tmp_path / "fit.nc"))
    assert again.model == post.model
    assert again.model.likelihood == likelihoods.get(model.likelihood)
    usual, loaded = (p.predict(D=1e11, noise=True, force=True).draws for p in (post, again))
    np.testing.assert_array_equal(usual, loaded)
