"""Every family against SciPy's and NumPyro's own distributions."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions
import pytest
from scipy import integrate, stats

from bayescale.family import FAMILIES
from bayescale.support import REAL

ROUNDING = 1e-12
"""The log density is a sum of terms of order 100, each good to about 1e-15 relative; the
libraries differ in their log gamma in the last digits."""

SCIPY = {
    "Normal": lambda mu, sigma: stats.norm(loc=mu, scale=sigma),
    "HalfNormal": lambda sigma: stats.halfnorm(scale=sigma),
    "LogNormal": lambda mu, sigma: stats.lognorm(s=sigma, scale=np.exp(mu)),
    "StudentT": lambda nu, mu, sigma: stats.t(df=nu, loc=mu, scale=sigma),
    "Beta": lambda alpha, beta: stats.beta(a=alpha, b=beta),
    "Gamma": lambda alpha, beta: stats.gamma(a=alpha, scale=1 / beta),
    "InverseGamma": lambda alpha, beta: stats.invgamma(a=alpha, scale=beta),
    "Exponential": lambda lam: stats.expon(scale=1 / lam),
    "Uniform": lambda lower, upper: stats.uniform(loc=lower, scale=upper - lower),
}
"""Spelt here a second time, by the documentation of SciPy and PyMC."""

POINTS = {
    "Normal": {"mu": -0.7, "sigma": 1.9},
    "HalfNormal": {"sigma": 1.7},
    "LogNormal": {"mu": -1.2, "sigma": 0.4},
    "StudentT": {"nu": 3.5, "mu": 0.3, "sigma": 0.6},
    "Beta": {"alpha": 5.0, "beta": 3.0},
    "Gamma": {"alpha": 2.0, "beta": 0.1},
    "InverseGamma": {"alpha": 2.5, "beta": 1.3},
    "Exponential": {"lam": 0.8},
    "Uniform": {"lower": -1.5, "upper": 2.25},
}

every = pytest.mark.parametrize("name", FAMILIES)


def draw_arguments(name, rng):
    family = FAMILIES[name]
    if name == "Uniform":
        lower = rng.normal()
        return {"lower": float(lower), "upper": float(lower + rng.uniform(0.1, 5))}
    return {
        argument: float(rng.uniform(0.2, 6) if argument in family.positive else rng.normal())
        for argument in family.arguments
    }


def close(got, want):
    np.testing.assert_allclose(got, want, rtol=ROUNDING, atol=ROUNDING)


def test_every_family_is_written_a_second_time_here():
    assert set(SCIPY) == set(POINTS) == set(FAMILIES)


@every
def test_the_log_density_is_that_of_scipy(name):
    rng = np.random.default_rng(0)
    for _ in range(5):
        arguments = draw_arguments(name, rng)
        frozen = SCIPY[name](**arguments)
        x = frozen.rvs(size=20, random_state=rng)
        want = frozen.logpdf(x)
        close(FAMILIES[name].log_density(x, np, **arguments), want)
        close(FAMILIES[name].log_density(jnp.asarray(x), jnp, **arguments), want)
        close(FAMILIES[name].scipy(stats, **arguments).logpdf(x), want)
        assert float(FAMILIES[name].log_density(x[0], np, **arguments)) == pytest.approx(
            want[0], rel=ROUNDING, abs=ROUNDING
        )


@every
def test_the_log_density_is_that_of_numpyro(name):
    rng = np.random.default_rng(1)
    arguments = draw_arguments(name, rng)
    class_name, keywords = FAMILIES[name].numpyro
    named = dict(zip(keywords, arguments.values(), strict=True))
    distribution = getattr(numpyro.distributions, class_name)(**named)
    x = SCIPY[name](**arguments).rvs(size=20, random_state=rng)
    with jax.numpy_rank_promotion("allow"):  # NumPyro's own Beta multiplies (n, 2) by (2,)
        want = distribution.log_prob(jnp.asarray(x))
    close(FAMILIES[name].log_density(x, np, **arguments), want)


@every
def test_arguments_may_be_arrays(name):
    rng = np.random.default_rng(2)
    drawn = [draw_arguments(name, rng) for _ in range(6)]
    arguments = {key: np.array([one[key] for one in drawn]) for key in drawn[0]}
    frozen = SCIPY[name](**arguments)
    x = frozen.rvs(size=6, random_state=rng)
    close(FAMILIES[name].log_density(x, np, **arguments), frozen.logpdf(x))
    in_jax = {key: jnp.asarray(array) for key, array in arguments.items()}
    close(FAMILIES[name].log_density(jnp.asarray(x), jnp, **in_jax), frozen.logpdf(x))


@every
def test_the_density_integrates_to_one_on_the_real_line(name):
    family, arguments = FAMILIES[name], POINTS[name]
    support = family.support(**arguments)

    def density(u):
        x = support.from_real(u, np)
        return np.exp(
            family.log_density(x, np, **arguments) + support.log_jacobian(np.asarray(u), np)
        )

    # Beyond 30 an interval's end is reached in double precision; less than 1e-12 lies there.
    ends = (-np.inf, np.inf) if support == REAL else (-30.0, 30.0)
    total, error = integrate.quad(density, *ends, limit=200, epsabs=1e-10)
    assert error < 1e-7
    assert total == pytest.approx(1.0, abs=1e-7)


@every
def test_draws_lie_in_the_support_and_map_back(name):
    family, arguments = FAMILIES[name], POINTS[name]
    support = family.support(**arguments)
    x = family.scipy(stats, **arguments).rvs(size=200, random_state=np.random.default_rng(3))
    u = support.to_real(x, np)
    assert np.all(np.isfinite(u))
    np.testing.assert_allclose(support.from_real(u, np), x, rtol=1e-12)


@every
def test_positive_arguments_are_arguments(name):
    family = FAMILIES[name]
    assert set(family.positive) <= set(family.arguments)
    assert len(family.numpyro[1]) == len(family.arguments)
