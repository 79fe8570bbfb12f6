"""Priors on a law's own parameters: the same joint prior as written by hand in those parameters."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro.infer import MCMC, NUTS
from numpyro.infer.util import log_density
from pytensor.compile.mode import Mode
from scipy import stats

import bayescale as bs
from bayescale.errors import UsageError
from bayescale.models.density import Density
from bayescale.models.export import to_numpyro, to_pymc
from bayescale.models.model import Model
from bayescale.posteriors.before_runs import prior_posterior
from theory import laws

PIVOT = {"N": 1e8, "D": 5e9}
STATED = {
    "E": bs.Prior("Normal", mu=1.6, sigma=0.1),
    "A": bs.Prior.around(400.0, 0.5),
    "B": bs.Prior("Gamma", alpha=4, beta=0.01),
    "alpha": bs.Prior("Normal", mu=0.34, sigma=0.05),
}

ROUNDING = 1e-9
"""Of a log density of order 1e2; relative."""


def simulated(rows=40, seed=0):
    """Runs of the additive law with E 1.7, A 406, B 411, alpha .34, beta .28 and 1% of noise."""
    rng = np.random.default_rng(seed)
    design = {"N": 10 ** rng.uniform(7, 9, rows), "D": 10 ** rng.uniform(9, 11, rows)}
    log_pivot = {name: float(np.mean(np.log(values))) for name, values in design.items()}
    at = laws.chinchilla.logs(
        {"E": 1.7, "A": 406.0, "B": 411.0, "alpha": 0.34, "beta": 0.28}, parameters_only=True
    )
    found = laws.chinchilla.chart.to_coordinates(at, log_pivot, np)
    model = Model.at("chinchilla", pivot={n: float(np.exp(v)) for n, v in log_pivot.items()})
    return model.simulate(design, seed=seed, coordinates={**found, "sigma": 0.01, "nu": 10.0}).runs


RUNS = simulated()


def by_hand(n, d, log_loss):
    """The additive law in its own parameters, with the priors of `STATED`."""
    e = numpyro.sample("E", dist.TruncatedNormal(1.6, 0.1, low=0.0))
    a = numpyro.sample("A", dist.LogNormal(jnp.log(400.0), 0.5))
    b = numpyro.sample("B", dist.Gamma(4.0, 0.01))
    alpha = numpyro.sample("alpha", dist.TruncatedNormal(0.34, 0.05, low=0.0))
    beta = numpyro.sample("beta", dist.LogNormal(jnp.log(0.3), 0.4))
    sigma = numpyro.sample("sigma", dist.LogNormal(jnp.log(0.01), 1.0))
    nu = numpyro.sample("nu", dist.Gamma(2.0, 0.1))
    mean = jnp.log(e + a * n**-alpha + b * d**-beta)
    numpyro.sample("log_loss", dist.StudentT(nu, mean, sigma), obs=log_loss)


def arrays(runs):
    return tuple(map(jnp.asarray, (runs.column("N"), runs.column("D"), np.log(runs.loss))))


def test_with_all_three_stated_the_density_is_that_written_by_hand():
    model = Model.for_runs("chinchilla", RUNS, prior=STATED)
    assert model.chart.names == ("E", "A", "B", "alpha", "beta")
    density, rows = Density(model), model.observe(RUNS)
    rng = np.random.default_rng(1)
    at = {n: model.priors.table[n].sample(rng, (20,)) for n in model.free}
    position = density.unconstrain(at)
    jacobian = sum(
        density._support(name).log_jacobian(position[:, i], np) for i, name in enumerate(model.free)
    )
    found = density.log_density(position, rows, np) - jacobian
    for i in range(20):
        values = {name: float(v[i]) for name, v in at.items()}
        want = float(log_density(by_hand, arrays(RUNS), {}, values)[0])
        assert found[i] == pytest.approx(want, rel=ROUNDING)
        exported = float(log_density(to_numpyro(model, RUNS), (), {}, values)[0])
        assert exported == pytest.approx(want, rel=ROUNDING)


def test_with_the_floor_alone_the_density_is_its_own_with_the_change_of_variables():
    """In E, A, B the joint prior has the Jacobian of the two sums of terms, by hand."""
    prior = bs.Prior("Gamma", alpha=30, beta=20)
    model = Model.at("chinchilla", pivot=PIVOT, prior={"E": prior})
    reducible = model.priors.table["reducible_pivot"].scipy()
    rng = np.random.default_rng(2)
    draws = prior_posterior(model, draws=50, seed=3).draws
    e, a, b, alpha, beta = (
        draws[name].to_numpy().ravel() for name in ("E", "A", "B", "alpha", "beta")
    )
    term_n, term_d = a * PIVOT["N"] ** -alpha, b * PIVOT["D"] ** -beta
    total = term_n + term_d
    # d(reducible, share)/d(A, B) = N0^-alpha D0^-beta / total
    jacobian = -alpha * np.log(PIVOT["N"]) - beta * np.log(PIVOT["D"]) - np.log(total)
    exponents = stats.lognorm(0.4, scale=0.3)
    want = stats.gamma(30, scale=1 / 20).logpdf(e) + exponents.logpdf(alpha)
    want += exponents.logpdf(beta) + reducible.logpdf(total)
    want += stats.beta(2, 2).logpdf(term_n / total) + jacobian
    coordinates = model.chart.to_coordinates(
        {n: np.log(v) for n, v in {"E": e, "A": a, "B": b, "alpha": alpha, "beta": beta}.items()},
        model.priors.log_pivot,
        np,
    )
    noise = {n: model.priors.table[n].sample(rng, (50,)) for n in ("sigma", "nu")}
    density = Density(model)
    sites = {**coordinates, **noise}
    position = density.unconstrain({name: sites[name] for name in model.free})
    found = density.log_prior(position, sites, np)
    for i, name in enumerate(model.free):
        found = found - density._support(name).log_jacobian(position[:, i], np)
    for name in noise:
        found = found - model.priors.table[name].scipy().logpdf(noise[name])
    np.testing.assert_allclose(found + jacobian, want, rtol=ROUNDING)


@pytest.mark.parametrize(
    "prior",
    [
        {"E": bs.Prior("Uniform", lower=0.5, upper=4.0)},
        {"A": bs.Prior.around(400.0, 1.0)},
        {"E": bs.Prior.around(1.6, 0.2), "B": bs.Prior("Exponential", lam=0.01)},
        STATED,
    ],
    ids=lambda prior: "+".join(prior),
)
def test_the_stated_prior_is_the_prior_of_the_parameter(prior):
    model = Model.at("chinchilla", pivot=PIVOT, prior=prior)
    draws = prior_posterior(model, draws=4000, seed=0).draws
    for name, stated in prior.items():
        values = draws[name].to_numpy().ravel()
        assert stats.kstest(values, stated.scipy().cdf).pvalue > 1e-3
    natural = {n: draws[n].to_numpy().ravel() for n in ("E", "A", "B", "alpha", "beta")}
    assert all(np.all(v > 0) for v in natural.values())
    assert np.all(laws.chinchilla.loss(**PIVOT, **natural) > natural["E"])


@pytest.mark.parametrize("engine", [pytest.param("numpyro", marks=pytest.mark.slow), "laplace"])
def test_a_number_fixes_the_floor_exactly(engine, tmp_path):
    post = bs.fit(RUNS, "chinchilla", prior={"E": 1.7}, engine=engine, draws=300)
    assert np.all(post.draws["E"] == 1.7)
    assert post.summary().loc["E", "sd"] < 1e-14
    assert post.summary().loc["alpha", "mean"] == pytest.approx(0.34, abs=0.05)
    again = bs.Posterior.load(post.save(tmp_path / "fixed.nc"))
    assert again.model == post.model
    assert np.all(again.predict(N=1e8, D=1e10).draws == post.predict(N=1e8, D=1e10).draws)


@pytest.mark.slow
def test_many_tables_take_statements():
    prior = {"E": 1.7, "alpha": bs.Prior.around(0.3, 1)}
    fits = bs.fit_many([RUNS, simulated(seed=1)], "chinchilla", prior=prior)
    for post in fits:
        assert np.all(post.draws["E"] == 1.7)
        assert post.summary().loc["beta", "mean"] == pytest.approx(0.28, abs=0.05)


def test_statements_survive_saving_as_plain_data():
    for prior in ({"E": 1.6}, STATED, {"E": 1.6, "L_pivot": bs.Prior("Uniform", lower=2, upper=4)}):
        model = Model.for_runs("chinchilla", RUNS, prior=prior)
        assert Model.from_dict(json.loads(json.dumps(model.to_dict()))) == model
    pooled = Model.at("chinchilla", pivot=PIVOT, prior={"E": bs.Prior.around(1.6, 0.1)})
    pooled = pooled.pooled("corpus", ["a", "b"]).stating({"alpha": 0.3, "alpha_spread": 0.2})
    assert Model.from_dict(json.loads(json.dumps(pooled.to_dict()))) == pooled


def test_the_pymc_model_has_the_same_density():
    model = Model.for_runs("chinchilla", RUNS, prior={"E": STATED["E"]})
    made = to_pymc(model, RUNS)
    assert [v.name for v in made.free_RVs] == [*model.free]
    logp = made.compile_logp(jacobian=False, mode=Mode(linker="py", optimizer=None))
    rng = np.random.default_rng(4)
    at = {n: float(model.priors.table[n].sample(rng)) for n in model.free}
    point = {
        value.name: made.rvs_to_transforms[rv].forward(at[rv.name], *rv.owner.inputs).eval()
        for rv, value in made.rvs_to_values.items()
        if rv.name in at
    }
    want = float(log_density(to_numpyro(model, RUNS), (), {}, at)[0])
    assert float(logp(point)) == pytest.approx(want, rel=ROUNDING)


@pytest.mark.slow
def test_a_later_statement_replaces_an_earlier_one():
    model = Model.for_runs("chinchilla", RUNS, prior={"E": 1.6})
    free = model.stating({"E": bs.Prior.around(1.7, 0.1), "sigma": 0.01})
    assert free.chart == model.chart
    assert "E" in free.free
    assert free.fixed == {"sigma": 0.01}
    both = model.stating({"A": 400.0})
    assert both.chart.names == ("E", "share_N", "A", "alpha", "beta")
    again = bs.fit(RUNS, model, prior={"B": bs.Prior.around(411.0, 0.1)}, engine="laplace").model
    assert again.fixed == {"E": 1.6}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayescale.errors.DiagnosticsWarning")
def test_groups_take_statements_before_they_are_pooled():
    halves = RUNS.table.assign(corpus=np.where(np.arange(len(RUNS.table)) % 2, "a", "b"))
    post = bs.fit_groups(
        halves, "chinchilla", prior={"E": 1.7, "alpha_spread": 0.1}, engine="laplace", draws=50
    )
    assert np.all(post.group("a").draws["E"] == 1.7)
    model = Model.at("chinchilla", pivot=PIVOT).pooled("corpus", ["a", "b"])
    with pytest.raises(UsageError, match="a prior on 'E' changes what is pooled; state it before"):
        model.stating({"E": 1.7})


@pytest.mark.parametrize(
    ("prior", "sentence"),
    [
        ({"E": 5.0}, "E is stated to be 5 or more, but the loss at the middle of the runs is"),
        ({"E": 2.45}, "E is fixed at 2.45, but the smallest loss is .*; state a smaller one"),
        ({"E": -1.0}, "'E' lives between 0 and inf"),
        ({"E": 1.6, "L_pivot": 3.0, "A": 4.0}, "'L_pivot' beside E and A, from which it follows"),
        (
            {"E": bs.Prior.around(1.6, 0.1), "L_pivot": bs.Prior.around(2.7, 0.1)},
            "together need E to stay below the loss, but .* has no upper end; fix E",
        ),
        ({"E": 1.6, "L_pivot": bs.Prior.around(2.7, 0.1)}, "'L_pivot' lives between 1.6 and inf"),
        ({"G": 1.6}, "no prior can be set on 'G', only on parameters of the law.*Known: .*E"),
    ],
)
def test_impossible_statements_are_refused(prior, sentence):
    with pytest.raises(UsageError, match=sentence):
        bs.fit(RUNS, "chinchilla", prior=prior, engine="laplace")


def test_recipes_for_smaller_tables_keep_statements():
    from bayescale.validation.leave_future_out import recipe_of

    model = Model.for_runs("chinchilla", RUNS, prior={"E": STATED["E"], "beta": 0.3})
    some = RUNS.select(np.arange(40) < 20)
    assert recipe_of(model)(some) == Model.for_runs(
        "chinchilla", some, prior={"E": STATED["E"], "beta": 0.3}
    )


@pytest.mark.slow
def test_the_posterior_is_that_of_the_model_written_by_hand():
    with jax.enable_x64(True):
        mcmc = MCMC(
            NUTS(by_hand, dense_mass=True, target_accept_prob=0.95),
            num_warmup=1000,
            num_samples=2000,
            num_chains=2,
            chain_method="sequential",
            progress_bar=False,
        )
        mcmc.run(jax.random.key(0), *arrays(RUNS))
    want = mcmc.get_samples()
    for engine in ("numpyro", "pymc"):  # Laplace refuses this posterior: Pareto k 0.8
        post = bs.fit(RUNS, "chinchilla", prior=STATED, engine=engine, seed=1)
        for name in ("E", "A", "B", "alpha", "beta", "sigma"):
            values, hand = post.draws[name].to_numpy().ravel(), np.asarray(want[name])
            sd = hand.std()
            # The effective sample sizes are at least 400: the error of a mean is 0.05 sd.
            assert values.mean() == pytest.approx(hand.mean(), abs=0.2 * sd), (engine, name)
            assert values.std() == pytest.approx(sd, rel=0.15), (engine, name)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayescale.errors.BayescaleWarning")
def test_ranks_of_stated_parameters_are_uniform():
    rng = np.random.default_rng(5)
    design = {"N": 10 ** rng.uniform(7, 9, 24), "D": 10 ** rng.uniform(9, 11, 24)}
    prior = {"E": STATED["E"], "sigma": bs.Prior.around(0.01, 0.3), "nu": 8.0}
    model = Model.at("chinchilla", pivot=PIVOT, prior=prior)
    made = [model.simulate(design, seed=i) for i in range(120)]
    fits = bs.fit_many([one.runs for one in made], [model] * len(made), seed=0)
    for name in ("E", "A", "alpha"):
        ranks = [
            float(np.mean(fits.natural(i)[name] < one.parameters[name]))
            for i, one in enumerate(made)
        ]
        assert stats.kstest(ranks, "uniform").pvalue > 1e-3, name
