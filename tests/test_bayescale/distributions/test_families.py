"""Every family against SciPy's and NumPyro's own distributions."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import numpyro.distributions
import pytest
from scipy import integrate, stats

from bayescale.distributions.families import FAMILIES
from bayescale.distributions.support import REAL

ROUNDING = 1e-12
"""The log density is a sum of terms of order 100, each good to about 1e-15 relative; the
libraries differ in their log gamma in the last digits."""


class OneSided:
    """A mixture of SciPy's Normal and exponentially modified Normal."""

    def __init__(self, mu, sigma, fraction, excess):
        self.parts = stats.norm(mu, sigma), stats.exponnorm(excess / sigma, mu, sigma)
        self.fraction = fraction

    def logpdf(self, x):
        clean, tail = (part.pdf(x) for part in self.parts)
        return np.log((1 - self.fraction) * clean + self.fraction * tail)

    def rvs(self, size, random_state):
        clean, tail = (part.rvs(size=size, random_state=random_state) for part in self.parts)
        return np.where(random_state.random(size) < self.fraction, tail, clean)


class Gross:
    """A mixture of SciPy's Student-t and Normal."""

    def __init__(self, nu, mu, sigma, fraction, gross):
        self.parts = stats.t(nu, mu, sigma), stats.norm(mu, np.sqrt(sigma**2 + gross**2))
        self.fraction = fraction

    def logpdf(self, x):
        good, bad = (part.pdf(x) for part in self.parts)
        return np.log((1 - self.fraction) * good + self.fraction * bad)

    def rvs(self, size, random_state):
        good, bad = (part.rvs(size=size, random_state=random_state) for part in self.parts)
        return np.where(random_state.random(size) < self.fraction, bad, good)


class Between:
    """The logarithm of a difference of SciPy's Normal distribution functions."""

    def __init__(self, mu, sigma, below, above):
        self.normal, self.below, self.above = stats.norm(mu, sigma), below, above

    def logpdf(self, x):
        return np.log(self.normal.cdf(x + self.above) - self.normal.cdf(x - self.below))

    def rvs(self, size, random_state):
        return self.normal.rvs(size=size, random_state=random_state)


SCIPY = {
    "Normal": lambda mu, sigma: stats.norm(loc=mu, scale=sigma),
    "HalfNormal": lambda sigma: stats.halfnorm(scale=sigma),
    "TruncatedNormal": lambda mu, sigma, lower: stats.truncnorm(
        a=(lower - mu) / sigma, b=np.inf, loc=mu, scale=sigma
    ),
    "LogNormal": lambda mu, sigma: stats.lognorm(s=sigma, scale=np.exp(mu)),
    "StudentT": lambda nu, mu, sigma: stats.t(df=nu, loc=mu, scale=sigma),
    "Beta": lambda alpha, beta: stats.beta(a=alpha, b=beta),
    "Gamma": lambda alpha, beta: stats.gamma(a=alpha, scale=1 / beta),
    "InverseGamma": lambda alpha, beta: stats.invgamma(a=alpha, scale=beta),
    "Exponential": lambda lam: stats.expon(scale=1 / lam),
    "Uniform": lambda lower, upper: stats.uniform(loc=lower, scale=upper - lower),
    "Contaminated": OneSided,
    "GrossErrors": Gross,
    "Interval": Between,
}
"""Spelt here a second time, by the documentation of SciPy and PyMC."""

POINTS = {
    "Normal": {"mu": -0.7, "sigma": 1.9},
    "HalfNormal": {"sigma": 1.7},
    "TruncatedNormal": {"mu": 1.6, "sigma": 0.9, "lower": 0.4},
    "LogNormal": {"mu": -1.2, "sigma": 0.4},
    "StudentT": {"nu": 3.5, "mu": 0.3, "sigma": 0.6},
    "Beta": {"alpha": 5.0, "beta": 3.0},
    "Gamma": {"alpha": 2.0, "beta": 0.1},
    "InverseGamma": {"alpha": 2.5, "beta": 1.3},
    "Exponential": {"lam": 0.8},
    "Uniform": {"lower": -1.5, "upper": 2.25},
    "Contaminated": {"mu": 0.2, "sigma": 0.5, "fraction": 0.3, "excess": 2.0},
    "GrossErrors": {"nu": 3.5, "mu": 0.2, "sigma": 0.5, "fraction": 0.3, "gross": 2.0},
    "Interval": {"mu": 0.2, "sigma": 0.5, "below": 0.3, "above": 0.8},
}

every = pytest.mark.parametrize("name", FAMILIES)
of_numpyro = pytest.mark.parametrize("name", [n for n in FAMILIES if FAMILIES[n].numpyro])
densities = pytest.mark.parametrize("name", [n for n in FAMILIES if n != "Interval"])


def draw_arguments(name, rng):
    family = FAMILIES[name]
    if name == "Uniform":
        lower = rng.normal()
        return {"lower": float(lower), "upper": float(lower + rng.uniform(0.1, 5))}
    drawn = {"fraction": rng.uniform(0.1, 0.9)} if "fraction" in family.arguments else {}
    if name == "Interval":
        drawn = {"below": rng.uniform(0.1, 2), "above": rng.uniform(0.1, 2)}
    return {
        argument: float(
            drawn[argument]
            if argument in drawn
            else rng.uniform(0.2, 6)
            if argument in family.positive
            else rng.normal()
        )
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


@of_numpyro
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


@densities
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
    if family.numpyro is not None:
        assert len(family.numpyro[1]) == len(family.arguments)


# --- far from where the mass is


def exact_contaminated(x, mu, sigma, fraction, excess):
    """The mixture at the working precision of mpmath."""
    z, ratio = (x - mu) / sigma, sigma / excess
    clean = (1 - fraction) * mpmath.npdf(z) / sigma
    below = mpmath.erfc((ratio - z) / mpmath.sqrt(2)) / 2
    tail = fraction / excess * mpmath.exp(ratio**2 / 2 - ratio * z) * below
    return mpmath.log(clean + tail)


def exact_gross_errors(x, nu, mu, sigma, fraction, gross):
    """The mixture at the working precision of mpmath."""
    z, wide = (x - mu) / sigma, mpmath.sqrt(sigma**2 + gross**2)
    ends = mpmath.gamma((nu + 1) / 2) / mpmath.gamma(nu / 2) / mpmath.sqrt(nu * mpmath.pi)
    good = (1 - fraction) * ends / sigma * (1 + z**2 / nu) ** (-(nu + 1) / 2)
    return mpmath.log(good + fraction * mpmath.npdf((x - mu) / wide) / wide)


def exact_interval(x, mu, sigma, below, above):
    """Probability of the interval at the working precision of mpmath."""
    low, high = ((x + end - mu) / sigma / mpmath.sqrt(2) for end in (-below, above))
    if low + high < 0:  # of two numbers near 2 the difference is lost
        low, high = -high, -low
    return mpmath.log((mpmath.erfc(low) - mpmath.erfc(high)) / 2)


FAR = {
    "Contaminated": (
        exact_contaminated,
        [
            (0.01 * z, 0.0, 0.01, fraction, 0.01 / ratio)
            for z in (-30.0, -4.0, 0.3, 5.0, 30.0)
            for ratio in (1e-3, 1.0, 30.0, 1e3)
            for fraction in (1e-4, 0.2)
        ],
    ),
    "GrossErrors": (
        exact_gross_errors,
        [
            (0.01 * z, nu, 0.0, 0.01, fraction, gross)
            for z in (-300.0, -4.0, 0.3, 5.0, 30.0)
            for nu in (1.0, 20.0)
            for gross in (1e-3, 0.3, 3.0)
            for fraction in (1e-4, 0.2)
        ],
    ),
    "Interval": (
        exact_interval,
        [
            (0.01 * z, 0.0, 0.01, 0.01 * width, 0.007 * width)
            for z in (-300.0, -30.0, -4.0, 0.3, 5.0, 30.0, 300.0)
            for width in (1e-3, 0.1, 1.0, 30.0, 1e3)
        ],
    ),
}
TAIL = 1e-9
"""Of a log density in the far tails, relative: JAX's own log of the Normal distribution function
is good to 2e-11 there, and differences of two such numbers lose two digits."""

TAIL_SLOPE = 1e-5
"""Of what the log density changes by for an e-fold of a positive argument or one scale of x and
mu, relative to the largest such change: JAX's slope is good to 4e-9 at 20 scales, and an interval
of a thousandth of the scale divides a difference of two by its width."""


@pytest.mark.parametrize("name", FAR)
def test_log_densities_and_their_slopes_are_right_far_out(name):
    exact, points = FAR[name]
    family = FAMILIES[name]

    def ours(arguments, ops):
        x, *rest = arguments
        return family.log_density(x, ops, **dict(zip(family.arguments, rest, strict=True)))

    slopes = jax.jit(jax.value_and_grad(lambda arguments: ours(arguments, jnp)))
    for point in points:
        with mpmath.workdps(150):
            at = [mpmath.mpf(number) for number in point]
            want, step = float(exact(*at)), mpmath.mpf(10) ** -60
            moved = [[*at[:i], at[i] + step, *at[i + 1 :]] for i in range(len(at))]
            wanted = [float((exact(*there) - exact(*at)) / step) for there in moved]
        assert float(ours(np.array(point), np)) == pytest.approx(want, rel=TAIL, abs=TAIL)
        value, got = slopes(jnp.array(point))
        assert float(value) == pytest.approx(want, rel=TAIL, abs=TAIL)
        named = dict(zip(("x", *family.arguments), point, strict=True))
        unit = np.array([named["sigma"] if n in ("x", "mu") else v for n, v in named.items()])
        np.testing.assert_allclose(
            got * unit,
            wanted * unit,
            rtol=TAIL_SLOPE,
            atol=TAIL_SLOPE * np.max(np.abs(wanted * unit)) + 1e-12,
            err_msg=f"{point}",
        )
