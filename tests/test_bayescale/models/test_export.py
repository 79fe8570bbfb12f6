"""`to_pymc` and `to_numpyro`: the density of the engines, and ordinary models to work with."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import numpyro
import pandas as pd
import pymc as pm
import pytest
from numpyro.infer import Predictive
from numpyro.infer.util import log_density, potential_energy
from pytensor.compile.mode import Mode
from scipy import special, stats

from bayescale.distributions.families import FAMILIES
from bayescale.distributions.prior import Prior
from bayescale.errors import RunsWarning, UsageError
from bayescale.models.density import Density
from bayescale.models.export import FamilyDistribution, to_numpyro, to_pymc
from bayescale.models.likelihoods import LIKELIHOODS
from bayescale.models.model import Model
from bayescale.models.observations import Observations
from bayescale.runs.table import Runs, read_runs
from theory import laws
from theory.declaration import symbols as s
from theory.declaration.forward import ForwardLaw
from theory.declaration.symbols import RESOURCES
from theory.errors import UnknownLaw

ROUNDING = 1e-10
"""Of a log density of order 1e1 to 1e5; relative."""

GRADIENT = 1e-8
"""The same of a gradient, relative to its largest component."""

PLAIN = Mode(linker="py", optimizer=None)
"""PyTensor without rewriting or compiling: a second for a law instead of twenty."""

PIVOT = {"N": 1e8, "D": 5e9, "C": 3e18}
PIVOT |= {
    name: float(np.sqrt(np.prod(r.typical))) if r.typical else 1e7
    for name, r in RESOURCES.items()
    if name not in PIVOT
}


def _table(rows: int = 12) -> Runs:
    """A table with every column that a law or a likelihood reads."""
    rng = np.random.default_rng(0)
    n, d = 10 ** rng.uniform(6.5, 9.5, rows), 10 ** rng.uniform(8.5, 11, rows)
    loss = (1.7 + 400 * n**-0.34 + 410 * d**-0.28) * np.exp(0.01 * rng.normal(size=rows))
    columns = {
        name: rng.uniform(*r.typical, rows) if r.typical else 10 ** rng.uniform(5.5, 8.5, rows)
        for name, r in RESOURCES.items()
        if name not in ("N", "D", "C")
    }
    columns |= {"N": n, "D": d, "C": 6 * n * d, "loss": loss}
    columns |= {"run": np.array([f"r{i // 4}" for i in range(rows)])}
    columns |= {"loss_se": 0.01 * rng.uniform(0.5, 1.5, rows)}
    columns |= {"data_order": np.array([f"o{i % 3}" for i in range(rows)])}
    columns |= {"family": np.array([f"f{i % 2}" for i in range(rows)])}
    with pytest.warns(RunsWarning, match="distinct values of column 'run'"):
        return read_runs(pd.DataFrame(columns), on_duplicates="keep")


RUNS = _table()


def _model(law: str, likelihood: str = "studentt", **prior: Prior | float) -> Model:
    pivot = {r.name: PIVOT[r.name] for r in laws.get(law).resources}
    return Model.at(law, pivot=pivot, likelihood=likelihood, prior=prior)


def _positions(model: Model, count: int) -> np.ndarray:
    """Random draws of the prior, unconstrained."""
    rng = np.random.default_rng(1)
    table, shapes = model.priors.table, model.shapes
    drawn = {n: table[n].sample(rng, (count, *shapes[n])) for n in model.free}
    return Density(model).unconstrain(drawn)


def _by_name(model: Model, position: np.ndarray) -> dict[str, np.ndarray]:
    """A position as the value of each site on the real line."""
    out, start = {}, 0
    for name in model.free:
        size = int(np.prod(model.shapes[name]))
        out[name] = position[start : start + size].reshape(model.shapes[name])
        start += size
    return out


def _pymc_point(made: pm.Model, model: Model, position: np.ndarray) -> dict[str, np.ndarray]:
    values = _by_name(model, position)
    return {made.rvs_to_values[rv].name: values[rv.name] for rv in made.free_RVs}


def _by_scipy(model: Model, position: np.ndarray, rows: Observations) -> float:
    """SciPy's log densities of priors and noise, and Jacobians by hand."""
    total, sites = 0.0, {}
    for name, u in _by_name(model, position).items():
        prior = model.priors.table[name]
        low, high = prior.bounds
        if np.isinf(high) and np.isinf(low):
            sites[name], log_jacobian = u, 0.0 * u
        elif np.isinf(high):
            sites[name], log_jacobian = low + np.exp(u), u
        else:
            sites[name] = low + (high - low) * special.expit(u)
            log_jacobian = np.log((high - low) * special.expit(u) * special.expit(-u))
        total += np.sum(prior.scipy().logpdf(sites[name]) + log_jacobian)
    noise = model.noise({**model.fixed, **sites}, rows, np)
    if noise.family == "Interval":
        return float(total + _log_intervals(rows.log_loss, **noise.arguments))
    frozen = FAMILIES[noise.family].scipy(stats, **noise.arguments)
    return float(total + np.sum(frozen.logpdf(rows.log_loss)))


def _log_intervals(x, mu, sigma, below, above) -> float:
    """Log probability of intervals under a Normal with 40 digits: SciPy's underflows far out."""
    context = mpmath.MPContext()
    context.dps = 40
    total = context.mpf(0)
    for low, high in zip((x - below - mu) / sigma, (x + above - mu) / sigma, strict=True):
        left, right = (-high, -low) if low > 0 else (low, high)
        total += context.log(context.ncdf(right) - context.ncdf(left))
    return float(total)


def _agree(model: Model, runs: Runs = RUNS, count: int = 2) -> None:
    """Hold PyMC, NumPyro, the engines' density and SciPy against each other."""
    rows = model.observe(runs)
    made = to_pymc(model, runs)
    by_pymc = made.compile_logp(mode=PLAIN)
    by_numpyro = to_numpyro(model)
    density = Density(model)
    for position in _positions(model, count):
        want = _by_scipy(model, position, rows)
        assert by_pymc(_pymc_point(made, model, position)) == pytest.approx(want, rel=ROUNDING)
        real = {name: jnp.asarray(u) for name, u in _by_name(model, position).items()}
        with numpyro.validation_enabled():
            energy = potential_energy(by_numpyro, (rows,), {}, real)
        assert -float(energy) == pytest.approx(want, rel=ROUNDING)
        ours = float(density.log_density(jnp.asarray(position), rows))
        assert ours == pytest.approx(want, rel=ROUNDING)


OF_EVERY_KIND = {
    *("power", "bounded_power", "broken_1", "odds_power", "chinchilla", "kaplan", "share"),
    *("crossover", "harmonic", "muennighoff", "dmft_tied", "abnar", "farseer"),
}
"""One law of every kind; the others compile for a minute and are slow tests."""


@pytest.mark.parametrize(
    "law",
    [
        name if name in OF_EVERY_KIND else pytest.param(name, marks=pytest.mark.slow)
        for name in laws.catalogue()
    ],
)
def test_every_law_has_one_density(law: str) -> None:
    _agree(_model(law), count=1)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("law", ["chinchilla", "share"])
def test_every_likelihood_has_one_density(law: str, likelihood: str) -> None:
    _agree(_model(law, likelihood))


@pytest.mark.slow
@pytest.mark.parametrize("likelihood", [name for name in LIKELIHOODS if name != "studentt"])
@pytest.mark.parametrize("law", laws.catalogue())
def test_every_law_and_likelihood_have_one_density(law: str, likelihood: str) -> None:
    names = [resource.name for resource in laws.get(law).resources]
    if likelihood == "heteroscedastic":
        likelihood = f"heteroscedastic(over={names[0]})"
    if likelihood == "smooth_curves" and "D" not in names:
        likelihood = f"smooth_curves(along={names[-1]})"
    _agree(_model(law, likelihood), count=1)


PRIORS = {
    "Normal": Prior("Normal", mu=0.3, sigma=0.1),
    "HalfNormal": Prior("HalfNormal", sigma=0.3),
    "LogNormal": Prior("LogNormal", mu=-1.2, sigma=0.4),
    "StudentT": Prior("StudentT", nu=4, mu=0.3, sigma=0.1),
    "Beta": Prior("Beta", alpha=2.3, beta=4.1),
    "Gamma": Prior("Gamma", alpha=3, beta=10),
    "InverseGamma": Prior("InverseGamma", alpha=3.1, beta=0.7),
    "Exponential": Prior("Exponential", lam=3),
    "Uniform": Prior("Uniform", lower=0.1, upper=0.7),
    "TruncatedNormal": Prior("TruncatedNormal", mu=0.3, sigma=0.1, lower=0.0),
}


def test_every_prior_is_tried() -> None:
    assert set(PRIORS) == {name for name, family in FAMILIES.items() if family.numpyro}


@pytest.mark.parametrize("family", PRIORS)
def test_every_prior_has_one_density(family: str) -> None:
    real = {"Normal", "StudentT"}
    # `trend` is the one coordinate that may be negative, `alpha` lives above 0.
    if family in real:
        _agree(_model("power_D", "heteroscedastic(over=D)", trend=PRIORS[family]))
    else:
        _agree(_model("power_D", alpha=PRIORS[family]))


def test_fixed_and_pooled_coordinates_have_one_density() -> None:
    _agree(_model("share", q=1.2, nu=4.0, floor_fraction=0.6))
    model = _model("chinchilla", beta=0.3).pooled("family", ["f0", "f1"])
    assert model.shapes["alpha_offset"] == (2,)
    _agree(model)


def _forward() -> ForwardLaw:
    """The share law as a program."""

    def shape(parameters, log_resources):
        n = -jnp.exp(parameters["alpha"]) * log_resources["N"]
        d = parameters["ratio"] - jnp.exp(parameters["beta"]) * log_resources["D"]
        return jnp.logaddexp(1.2 * n, 1.2 * d) / 1.2

    floor, a = s.floor(), s.amplitude("A", of=s.N)
    alpha, beta = s.exponent("alpha", of=s.N), s.exponent("beta", of=s.D)
    ratio = s.shape("ratio", "size of the data term over that of the model term")
    return ForwardLaw(
        log_shape=shape,
        name="program",
        title="",
        source="",
        citation="",
        resources=(s.N, s.D),
        parameters=(floor, a, alpha, beta, ratio),
        floor=floor,
    )


@pytest.mark.parametrize("likelihood", ["studentt", "contaminated"])
def test_a_program_has_one_density(likelihood: str) -> None:
    pivot = {"N": PIVOT["N"], "D": PIVOT["D"]}
    _agree(Model.at(_forward(), pivot=pivot, likelihood=likelihood))


CASES = [("share", "studentt"), ("maximum", "studentt")]
CASES += [("power_D", name) for name in ("contaminated", "rounded", "curves")]
SLOW_CASES = [("chinchilla", name) for name in LIKELIHOODS]
SLOW_CASES += [(name, "studentt") for name in ("harmonic", "crossover", "odds_power")]
CASES += [pytest.param(*case, marks=pytest.mark.slow) for case in SLOW_CASES]


@pytest.mark.parametrize(("law", "likelihood"), CASES)
def test_pytensors_gradient_is_jaxs(law: str, likelihood: str) -> None:
    model = _model(law, likelihood)
    _same_gradient(model)


def test_pytensors_gradient_of_a_program_is_jaxs() -> None:
    _same_gradient(Model.at(_forward(), pivot={"N": PIVOT["N"], "D": PIVOT["D"]}))


def _same_gradient(model: Model) -> None:
    rows, made, density = model.observe(RUNS), to_pymc(model, RUNS), Density(model)
    slope = made.compile_dlogp(mode=PLAIN)
    (position,) = _positions(model, 1)
    got = slope(_pymc_point(made, model, position))
    want = np.asarray(jax.grad(density.log_density)(jnp.asarray(position), rows))
    np.testing.assert_allclose(got, want, rtol=0, atol=GRADIENT * np.abs(want).max())


def test_pymc_holds_names_dimensions_and_natural_parameters() -> None:
    model = _model("chinchilla", alpha=0.3)
    made = to_pymc(model, RUNS)
    assert [rv.name for rv in made.free_RVs] == list(model.free)
    assert [rv.name for rv in made.observed_RVs] == ["log_loss"]
    assert [d.name for d in made.deterministics] == ["E", "A", "B", "alpha"]
    assert made.named_vars_to_dims["log_loss"] == ("run",)
    assert list(made.coords["run"]) == list(RUNS.table["run"])
    assert type(made["L_pivot"].owner.op).__name__ == "LogNormalRV"
    (position,) = _positions(model, 1)
    point = _pymc_point(made, model, position)
    outs = made.replace_rvs_by_values(made.deterministics)
    natural_of = made.compile_fn(outs, inputs=made.value_vars, mode=PLAIN, on_unused_input="ignore")
    got = natural_of(point)
    natural = model.law.values(model.parameters(Density(model).constrain(position), np))
    np.testing.assert_allclose(got, [natural[n] for n in ("E", "A", "B", "alpha")], rtol=1e-13)


def test_pymc_has_offsets_along_groups() -> None:
    made = to_pymc(_model("chinchilla").pooled("family", ["f0", "f1"]), RUNS)
    assert made.named_vars_to_dims["alpha_offset"] == ("group",)
    assert tuple(made.coords["group"]) == ("f0", "f1")
    assert made.deterministics == []


def test_a_pymc_model_can_be_extended() -> None:
    with to_pymc("chinchilla", RUNS) as made:
        exponent = pm.Deterministic("a", made["beta"] / (made["alpha"] + made["beta"]))
        pm.Normal("theory", exponent, np.float64(0.05), observed=0.5)
    plain = to_pymc("chinchilla", RUNS)
    point = plain.initial_point()
    with_more, without = (m.compile_logp(mode=PLAIN)(point) for m in (made, plain))
    # The medians of alpha and beta are one number, so a = 0.5.
    assert with_more - without == pytest.approx(stats.norm(0.5, 0.05).logpdf(0.5), rel=1e-9)


def _all_fixed(likelihood: str) -> Model:
    """Every coordinate at a value, so that only the noise is random."""
    plain = _model("chinchilla", likelihood)
    at = {"sigma": 0.02, "nu": 4.0, "fraction": 0.3, "excess": 0.1}
    middle = {name: float(p.scipy().median()) for name, p in plain.priors.table.items()}
    return _model("chinchilla", likelihood, **{n: at.get(n, middle[n]) for n in middle})


def _uniform(model: Model, draws: np.ndarray) -> None:
    """Kolmogorov and Smirnov's test of draws (draw, run) against SciPy's distribution function."""
    noise = model.noise(model.fixed, model.observe(RUNS)._replace(log_loss=None), np)
    levels = FAMILIES[noise.family].scipy(stats, **noise.arguments).cdf(draws)
    assert stats.kstest(levels.ravel(), "uniform").pvalue > 1e-3


SAMPLED = ["studentt", "normal", "contaminated", "gross_errors", "rounded"]


@pytest.mark.parametrize("likelihood", SAMPLED)
def test_pymc_draws_from_the_noise(likelihood: str) -> None:
    model = _all_fixed(likelihood)
    made = to_pymc(model, RUNS)
    draws = pm.draw(made["log_loss"], draws=200, random_seed=3, mode=PLAIN)
    assert draws.shape == (200, len(RUNS))
    _uniform(model, draws)


@pytest.mark.parametrize("likelihood", SAMPLED)
def test_numpyro_draws_from_the_noise(likelihood: str) -> None:
    model = _all_fixed(likelihood)
    rows = model.observe(RUNS)._replace(log_loss=None)
    draws = Predictive(to_numpyro(model), num_samples=200)(jax.random.key(3), rows)
    assert draws["log_loss"].shape == (200, len(RUNS))
    _uniform(model, np.asarray(draws["log_loss"]))


def test_pymc_predicts_with_a_distribution_of_ours() -> None:
    model = _model("power_D", "contaminated")
    with to_pymc(model, RUNS):
        tree = pm.sample_prior_predictive(20, random_seed=0, compile_kwargs={"mode": PLAIN})
    assert tree["prior_predictive"]["log_loss"].shape == (1, 20, len(RUNS))
    assert np.isfinite(tree["prior_predictive"]["log_loss"]).all()


def test_a_distribution_of_ours_passes_through_jax() -> None:
    arguments = {"mu": jnp.zeros(3), "sigma": 0.1, "fraction": 0.2, "excess": 0.3}
    noise = FamilyDistribution("Contaminated", arguments)
    assert noise.batch_shape == (3,)
    draw = jax.jit(lambda d, key: d.sample(key, (2,)))
    first, again = (draw(noise, jax.random.key(0)) for _ in range(2))
    assert first.shape == (2, 3)
    np.testing.assert_array_equal(first, again)
    many = jax.vmap(lambda key: noise.sample(key))(jax.random.split(jax.random.key(1), 4))
    assert many.shape == (4, 3)
    assert len(np.unique(many)) == 12
    old = noise.sample(jax.random.PRNGKey(0), (2,))
    np.testing.assert_array_equal(old, first)


def test_numpyro_sees_the_runs_it_was_made_with() -> None:
    at = {"L_pivot": 4.0, "floor_fraction": 0.5, "alpha": 0.3, "sigma": 0.1, "nu": 5.0}
    total, trace = log_density(to_numpyro("power_D", RUNS), (), {}, at)
    model = Model.for_runs("power_D", RUNS)
    again, _ = log_density(to_numpyro(model), (model.observe(RUNS),), {}, at)
    assert float(total) == float(again)
    natural = model.law.values(model.parameters(at, np))
    assert float(trace["A"]["value"]) == pytest.approx(float(natural["A"]), rel=1e-13)


def test_a_law_without_runs_is_refused() -> None:
    with pytest.raises(UsageError, match="given without runs="):
        to_numpyro("chinchilla")
    with pytest.raises(UsageError, match=r"give it what it is to see, model.observe\(runs\)"):
        to_numpyro(_model("chinchilla"))()
    with pytest.raises(UnknownLaw, match="Did you mean 'chinchilla'"):
        to_pymc("chinchila", RUNS)
