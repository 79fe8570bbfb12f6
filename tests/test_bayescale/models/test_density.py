"""The log posterior density against an independent sum of SciPy's log densities."""

import warnings

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special, stats
from sklearn.gaussian_process.kernels import Matern

from bayescale.distributions.prior import Prior
from bayescale.errors import RunsWarning
from bayescale.models.density import Density
from bayescale.models.likelihoods import LIKELIHOODS
from bayescale.models.likelihoods.smooth_curves import LEAST_NOISE
from bayescale.models.model import Model
from bayescale.runs.table import read_runs
from theory import laws
from theory.declaration.abstract_law import KERNEL
from theory.declaration.contour import ContourLaw
from theory.declaration.forward import ForwardLaw
from theory.declaration.law import Law
from theory.declaration.symbols import RESOURCES, Domain

ROUNDING = 1e-10
"""Of a log density of order 1e3 to 1e5 summed over a dozen runs; relative."""

DIFFERENCE = 1e-5
"""Central differences with step 1e-5 of a function of order 1e5: relative to the gradient."""

PIVOT = {"N": 1e8, "D": 5e9, "C": 3e18}
PIVOT |= {
    name: float(np.sqrt(np.prod(r.typical))) if r.typical else 1e7
    for name, r in RESOURCES.items()
    if name not in PIVOT
}


def runs(seed=0, rows=12):
    """Six sizes, twice each; four checkpoints a run; three orders of the data."""
    rng = np.random.default_rng(seed)
    half = rows // 2
    n, d = (np.tile(10 ** rng.uniform(*ends, half), 2) for ends in ((6.5, 9.5), (8.5, 11)))
    loss = (1.7 + 400 * n**-0.34 + 410 * d**-0.28) * np.exp(0.01 * rng.normal(size=rows))
    others = {
        name: np.tile(
            rng.uniform(*r.typical, half) if r.typical else 10 ** rng.uniform(5.5, 8.5, half), 2
        )
        for name, r in RESOURCES.items()
        if name not in ("N", "D", "C")
    }
    labels = {
        "run": [f"run {i // 4}" for i in range(rows)],
        "data_order": [f"order {i % 3}" for i in range(rows)],
        "loss_se": 0.02 * rng.uniform(size=rows),
    }
    table = pd.DataFrame({"N": n, "D": d, "C": 6 * n * d, "loss": loss, **others, **labels})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RunsWarning)  # of rows that belong to one run
        return read_runs(table)


RUNS = runs()


def by_hand(name, c):
    """Loss of each run from pivot coordinates, in plain numpy from the natural formula."""
    level, floor = c["L_pivot"], c["L_pivot"] * c.get("floor_fraction", 0.0)
    sizes = {key: RUNS.column(key) for key in "NDC"}
    if name.startswith("power"):
        r = {"power": "N", "power_D": "D", "power_C": "C"}[name]
        a = (level - floor) * PIVOT[r] ** c["alpha"]
        return floor + a * sizes[r] ** -c["alpha"]
    if name == "kaplan":
        alpha_n, alpha_d = c["alpha_N"], c["alpha_D"]
        inner = level ** (1 / alpha_d)
        n_c = PIVOT["N"] * (inner * c["share_N"]) ** (alpha_d / alpha_n)
        d_c = PIVOT["D"] * inner * (1 - c["share_N"])
        return ((n_c / sizes["N"]) ** (alpha_n / alpha_d) + d_c / sizes["D"]) ** alpha_d
    q = c.get("q", 1.0)
    a = (level - floor) * c["share_N"] ** (1 / q) * PIVOT["N"] ** c["alpha"]
    b = (level - floor) * (1 - c["share_N"]) ** (1 / q) * PIVOT["D"] ** c["beta"]
    terms = (a * sizes["N"] ** -c["alpha"]) ** q + (b * sizes["D"] ** -c["beta"]) ** q
    return floor + terms ** (1 / q)


WRITTEN = {"power", "power_D", "power_C", "chinchilla", "kaplan", "share"}


def through_the_chart(law, c):
    """For laws not written above: SymPy's own numpy code, at parameters from the chart.

    A contour is solved run by run with SciPy's bracketing root finder.
    """
    import sympy

    pivot = {r.name: np.log(PIVOT[r.name]) for r in law.resources}
    natural = law.values(law.chart.to_parameters(c, pivot, np))
    sizes = {r.name: RUNS.column(r.name) for r in law.resources}
    symbols = [q.symbol for q in (*law.resources, *law.parameters)]
    if isinstance(law, Law):
        function = sympy.lambdify(symbols, law.formula, "numpy")
        return function(*({**sizes, **natural}[symbol.name] for symbol in symbols))
    if isinstance(law, ForwardLaw):  # a program; held against its own oracles in test_theory
        return law.loss(**sizes, **natural)
    contour = sympy.lambdify([KERNEL, *symbols], law.contour, "numpy")
    loss = sympy.lambdify([KERNEL, *symbols], law.scale.loss(KERNEL), "numpy")
    found = []
    for row in range(len(RUNS)):
        here = {**{name: column[row] for name, column in sizes.items()}, **natural}
        at = [here[symbol.name] for symbol in symbols]
        root = optimize.brentq(
            lambda u, at=at: np.log(contour(np.exp(u), *at)), -40, 40, xtol=1e-14
        )
        found.append(loss(np.exp(root), *at))
    return np.array(found)


def where(model, name):
    """Support of a coordinate: unit, positive or real."""
    family = model.priors.table[name].family
    return {"Beta": Domain.UNIT, "Normal": Domain.REAL}.get(family, Domain.POSITIVE)


BACK = {
    Domain.UNIT: (special.expit, lambda u, x: np.log(x * (1 - x))),
    Domain.POSITIVE: (np.exp, lambda u, x: u),
    Domain.REAL: (lambda u: u, lambda u, x: 0.0),
}
"""From the real line, and the log Jacobian."""


def log_posterior_by_hand(model, position):
    """Priors, Jacobians and noise, all by SciPy."""
    total, c = 0.0, dict(model.fixed)
    for u, name in zip(position, model.free, strict=True):
        from_real, jacobian = BACK[where(model, name)]
        c[name] = from_real(u)
        log_jacobian = jacobian(u, c[name])
        prior = model.priors.table[name]
        frozen = {
            "Beta": lambda alpha, beta: stats.beta(alpha, beta),
            "Normal": lambda mu, sigma: stats.norm(mu, sigma),
            "LogNormal": lambda mu, sigma: stats.lognorm(sigma, scale=np.exp(mu)),
            "Gamma": lambda alpha, beta: stats.gamma(alpha, scale=1 / beta),
        }[prior.family](**prior.arguments)
        total += frozen.logpdf(c[name]) + log_jacobian
    law = model.law
    loss = by_hand(law.name, c) if law.name in WRITTEN else through_the_chart(law, c)
    return total + noise_by_hand(model.likelihood, np.log(loss), c)


def noise_by_hand(likelihood, mean, c):
    """Log likelihood of all runs."""
    at, sigma = np.log(RUNS.loss), c["sigma"]
    if likelihood.name == "normal":
        return stats.norm(mean, sigma).logpdf(at).sum()
    if likelihood.name == "heteroscedastic":
        size, pivot = (
            (RUNS.column("C"), 6 * PIVOT["N"] * PIVOT["D"])
            if likelihood.over == "C"
            else (RUNS.column(likelihood.over), PIVOT[likelihood.over])
        )
        pivot = likelihood.at if likelihood.over == "C" else pivot
        return stats.t(c["nu"], mean, sigma * (size / pivot) ** c["trend"]).logpdf(at).sum()
    if likelihood.name == "measured":
        error = np.hypot(sigma, RUNS.column("loss_se") / RUNS.loss)
        return stats.t(c["nu"], mean, error).logpdf(at).sum()
    if likelihood.name == "contaminated":
        tail = stats.exponnorm(c["excess"] / sigma, mean, sigma).logpdf(at) + np.log(c["fraction"])
        clean = stats.norm(mean, sigma).logpdf(at) + np.log(1 - c["fraction"])
        return np.logaddexp(clean, tail).sum()
    if likelihood.name == "gross_errors":
        good = stats.t(c["nu"], mean, sigma).logpdf(at) + np.log(1 - c["fraction"])
        bad = stats.norm(mean, np.hypot(sigma, c["gross"])).logpdf(at) + np.log(c["fraction"])
        return np.logaddexp(good, bad).sum()
    if likelihood.name == "rounded":
        return sum(between(*row, sigma) for row in zip(RUNS.loss, mean, strict=True))
    if likelihood.name in GROUPS:
        return one_after_another(likelihood, at - mean, c)
    return stats.t(c["nu"], mean, sigma).logpdf(at).sum()


def between(loss, mean, sigma):
    """Log probability that a loss rounds to what was seen, at 50 digits."""
    with mpmath.workdps(50):
        ends = [
            (mpmath.log(mpmath.mpf(loss) + end) - mean) / sigma / mpmath.sqrt(2)
            for end in (mpmath.mpf("-0.005"), mpmath.mpf("0.005"))
        ]
        low, high = ends if sum(ends) > 0 else (-ends[1], -ends[0])
        return float(mpmath.log((mpmath.erfc(low) - mpmath.erfc(high)) / 2))


GROUPS = {"replicates": ["N", "D"], "shared": ["data_order"], "curves": ["run"]}
GROUPS |= {"smooth_curves": ["run"]}
"""Likelihood -> columns that rows of a group have in common."""


def groups_of(name, along="D"):
    """Rows of each group, in their order; two rows are as far from their median."""
    table = RUNS.table
    time = [along] if GROUPS[name] == ["run"] else ["run", "N", "D"]
    return [
        part.sort_values(time, kind="stable").index.to_numpy()
        for _, part in table.groupby(GROUPS[name])
    ]


def one_after_another(likelihood, residual, c):
    """A Kalman filter of the effect of each group, in plain Python."""
    total = 0.0
    for rows in groups_of(likelihood.name, getattr(likelihood, "along", "D")):
        mean, variance = 0.0, c["effect"] ** 2
        for place, row in enumerate(rows):
            carried, load, scale = innovation(likelihood, residual, rows[:place], row, c)
            moved, expected = residual[row] - carried, load * mean
            spread = np.sqrt(scale**2 + load**2 * variance)
            total += stats.t.logpdf(moved, c["nu"], expected, spread)
            gain = variance * load / spread**2
            mean += gain * (moved - expected)
            variance *= 1 - gain * load
    return total


def innovation(likelihood, residual, before, row, c):
    """What is carried over from the rows before, the factor of the effect, and the scale."""
    data = np.log(RUNS.column(getattr(likelihood, "along", "D")))
    if likelihood.name == "smooth_curves":
        past, some = data - np.log(likelihood.time), [*before[-3:], row]
        size = np.ones(len(data))
        if likelihood.over:
            sizes = np.prod([RUNS.column(name) for name in likelihood.over], axis=0)
            size = (sizes / likelihood.size) ** c["trend"]
        scale = (c["sigma"] * size * np.exp(c["tilt"] * past + c["bend"] * past**2))[some]
        process = Matern(nu=2.5)(past[some][:, None] / c["span"])
        process = scale[:, None] * process * scale
        process += np.diag(scale**2) * (c["rough"] ** 2 + LEAST_NOISE)
        weights = np.linalg.solve(process[:-1, :-1], process[:-1, -1])
        left = process[-1, -1] - weights @ process[:-1, -1]
        return weights @ residual[some[:-1]], (1 - weights.sum()) * size[row], np.sqrt(left)
    rho = 0.0
    if likelihood.name == "curves" and len(before):
        rho = np.exp(-(data[row] - data[before[-1]]) / c["span"])
    carried = rho * residual[before[-1]] if len(before) else 0.0
    return carried, 1 - rho, c["sigma"] * np.sqrt(1 - rho**2)


def model_of(name, likelihood="studentt", **prior):
    law = laws.get(name)
    pivot = {r.name: PIVOT[r.name] for r in law.resources}
    if likelihood == "heteroscedastic" and not ("C" in pivot or {"N", "D"} <= set(pivot)):
        likelihood = f"heteroscedastic(over={next(iter(pivot))})"
    if likelihood == "smooth_curves" and "D" not in pivot:
        likelihood = f"smooth_curves(along={next(iter(pivot))})"
    return Model.at(law, pivot=pivot, likelihood=likelihood, prior=prior)


def draw_position(density, rng):
    table = density.model.priors.table
    drawn = {name: table[name].sample(rng) for name in density.model.free}
    return density.unconstrain(drawn)


USUAL = ("chinchilla", "kaplan", "power_D")
PAIRS = [(law, "studentt") for law in laws.catalogue()]
PAIRS += [(law, noise) for noise in LIKELIHOODS if noise != "studentt" for law in USUAL]
REST = [(law, n) for law in laws.catalogue() for n in LIKELIHOODS if (law, n) not in PAIRS]


def agrees_with_scipy(name, likelihood):
    density = Density(model_of(name, likelihood))
    observed = density.model.observe(RUNS)
    rng = np.random.default_rng(1)
    for _ in range(4):
        position = draw_position(density, rng)
        got = float(density.log_density(jnp.asarray(position), observed))
        want = log_posterior_by_hand(density.model, position)
        assert got == pytest.approx(want, rel=ROUNDING)
        in_numpy = density.log_density(position[None], observed, np)
        assert float(in_numpy[0]) == pytest.approx(want, rel=ROUNDING)
        # What a program is compiled for, with the model's numbers as data.
        as_data = density.form.log_density(position[None], observed, np, density.numbers)
        assert float(as_data[0]) == pytest.approx(want, rel=ROUNDING)


@pytest.mark.parametrize(("name", "likelihood"), PAIRS)
def test_the_log_density_is_the_sum_of_scipys_log_densities(name, likelihood):
    agrees_with_scipy(name, likelihood)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "likelihood"), REST)
def test_so_is_that_of_every_other_pair_of_law_and_likelihood(name, likelihood):
    agrees_with_scipy(name, likelihood)


NORMAL_TAILS = 1e8
"""Degrees of freedom at which Student-t is Normal: it differs by z^4/(4 nu) < 1e-5 a run for z
below 8, and the log gamma function loses 3e-7 a run."""


@pytest.mark.parametrize("name", ["replicates", "shared", "curves"])  # test_smooth_curves has it
def test_with_normal_tails_rows_of_a_group_have_the_dense_covariance(name):
    c = {"L_pivot": 3.3, "floor_fraction": 0.65, "share_N": 0.5, "alpha": 0.34, "beta": 0.28}
    c |= {"sigma": 0.03, "effect": 0.05, "nu": NORMAL_TAILS}
    c |= {"span": 0.7} if name == "curves" else {}
    model = model_of("chinchilla", name, nu=NORMAL_TAILS)
    residual = np.log(RUNS.loss) - np.log(by_hand("chinchilla", c))
    assert np.abs(residual / 0.03).max() < 8
    want = 0.0
    for rows in groups_of(name):
        covariance = 0.03**2 * np.eye(len(rows)) + 0.05**2
        if name == "curves":
            time = np.log(RUNS.column("D")[rows])
            covariance = 0.05**2 + 0.03**2 * np.exp(-np.abs(time[:, None] - time) / 0.7)
        want += stats.multivariate_normal(cov=covariance).logpdf(residual[rows])
    got = Density(model).log_likelihood(c, model.observe(RUNS), np).sum()
    assert got == pytest.approx(want, abs=12 * 1e-5)


@pytest.mark.parametrize("name", ["chinchilla", "share"])
def test_fixed_coordinates_are_held_and_add_no_prior(name):
    model = model_of(name, alpha=0.31, floor_fraction=0.6, nu=4.0)
    density = Density(model)
    assert density.size == len(model.free)
    assert not {"alpha", "floor_fraction", "nu"} & set(model.free)
    position = draw_position(density, np.random.default_rng(2))
    got = float(density.log_density(jnp.asarray(position), model.observe(RUNS)))
    assert got == pytest.approx(log_posterior_by_hand(model, position), rel=ROUNDING)
    held = density.constrain(position)
    assert (held["alpha"], held["floor_fraction"], held["nu"]) == (0.31, 0.6, 4.0)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_gradient_agrees_with_central_differences_of_scipys_sum(likelihood):
    density = Density(model_of("share", likelihood))
    observed = density.model.observe(RUNS)
    position = draw_position(density, np.random.default_rng(3))
    gradient = jax.grad(density.log_density)(jnp.asarray(position), observed)
    for i in range(density.size):
        step = 1e-5 * np.eye(density.size)[i]
        ends = [log_posterior_by_hand(density.model, position + h) for h in (step, -step)]
        slope = (ends[0] - ends[1]) / 2e-5
        assert gradient[i] == pytest.approx(slope, rel=DIFFERENCE, abs=DIFFERENCE)


def test_any_family_may_be_the_prior_of_a_coordinate():
    prior = Prior("Uniform", lower=0.2, upper=0.5)
    model = model_of("chinchilla", "normal", alpha=prior)
    density = Density(model)
    observed = model.observe(RUNS)
    position = draw_position(density, np.random.default_rng(4))
    i = model.free.index("alpha")
    alpha = 0.2 + 0.3 * special.expit(position[i])
    assert density.constrain(position)["alpha"] == pytest.approx(alpha, rel=1e-13)
    # Against the model with alpha fixed there: the difference is the prior and the Jacobian.
    fixed = Density(model_of("chinchilla", "normal", alpha=float(alpha)))
    without = fixed.log_density(jnp.asarray(np.delete(position, i)), observed)
    slope = 0.3 * special.expit(position[i]) * special.expit(-position[i])
    want = float(without) + np.log(1 / 0.3) + np.log(slope)
    assert float(density.log_density(jnp.asarray(position), observed)) == pytest.approx(
        want, rel=ROUNDING
    )


def test_positions_and_coordinates_are_each_others_inverse():
    density = Density(model_of("share", q=1.2))
    rng = np.random.default_rng(5)
    table = density.model.priors.table
    drawn = {name: table[name].sample(rng, (3, 5)) for name in density.model.free}
    positions = density.unconstrain(drawn)
    assert positions.shape == (3, 5, density.size)
    again = density.constrain(positions)
    assert tuple(again) == tuple(table)
    for name, values in drawn.items():
        np.testing.assert_allclose(again[name], values, rtol=1e-12)  # logit and back
    assert again["q"].shape == (3, 5)
    assert np.all(again["q"] == 1.2)


def test_the_likelihood_is_that_of_each_run():
    model = model_of("chinchilla", "normal")
    coordinates = {
        "L_pivot": 3.0,
        "floor_fraction": 0.6,
        "share_N": 0.5,
        "alpha": 0.3,
        "beta": 0.3,
        "sigma": 0.02,
    }
    got = Density(model).log_likelihood(coordinates, model.observe(RUNS))
    mean = np.log(by_hand("chinchilla", coordinates))
    want = stats.norm(mean, 0.02).logpdf(np.log(RUNS.loss))
    np.testing.assert_allclose(got, want, rtol=ROUNDING)


def test_observations_are_logs_of_the_columns_of_the_law():
    log_resources, log_loss, *_ = model_of("power_C").observe(RUNS)
    assert list(log_resources) == ["C"]
    np.testing.assert_array_equal(log_resources["C"], np.log(RUNS.column("C")))
    np.testing.assert_array_equal(log_loss, np.log(RUNS.loss))


def test_every_law_of_the_catalogue_is_compared_with_a_formula():
    for law in laws.catalogue().values():
        assert law.name in WRITTEN or isinstance(law, Law | ContourLaw | ForwardLaw)
