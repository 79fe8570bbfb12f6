"""How each probability distribution is spelt: one table for every engine.

A family is a row of `FAMILIES`: its arguments under their canonical names (those of PyMC), its
support, its log density in the functions that NumPy and JAX share, its name in NumPyro, and its
SciPy distribution, which draws samples and serves as the oracle of the tests.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayescale.distributions.special import log, log_gamma, log_normal_cdf
from bayescale.distributions.support import POSITIVE, REAL, UNIT, Support, above, interval
from theory.declaration.namespace import ArrayNamespace, Numeric


@dataclass(frozen=True)
class Family:
    """How one distribution is spelt.

    Parameters
    ----------
    arguments
        Canonical argument names, in order.
    positive
        Those of them that must be positive.
    support
        ``(**arguments) -> Support``: where its values live.
    log_density
        ``(x, ops, **arguments) -> log density``; arrays that broadcast.
    numpyro
        Class name in `numpyro.distributions` and its keyword for each argument, in order; None
        where it has no such class, and `log_density` serves.
    scipy
        ``(scipy.stats, **arguments) -> frozen distribution``.
    draw
        ``(rng, size, **arguments) -> draws`` of NumPy's generator, to the last digit those that
        SciPy makes of it; None leaves them to SciPy, which is slow to import.
    location, scale
        Which arguments these are, of a family that serves as noise; empty for any other.
    tail
        Which argument is the degrees of freedom of Student-t tails; empty where they are lighter.
    is_probability
        Whether `log_density` is the log probability of an interval around a value.
    """

    arguments: tuple[str, ...]
    positive: tuple[str, ...]
    support: Callable[..., Support]
    log_density: Callable[..., Any]
    numpyro: tuple[str, tuple[str, ...]] | None
    scipy: Callable[..., Any]
    draw: Callable[..., Any] | None = None
    location: str = ""
    scale: str = ""
    tail: str = ""
    is_probability: bool = False


def _normal(x: Numeric, ops: ArrayNamespace, mu: Numeric, sigma: Numeric) -> Numeric:
    return -0.5 * ((x - mu) / sigma) ** 2 - log(sigma, ops) - 0.5 * math.log(2 * math.pi)


def _truncated_normal(
    x: Numeric, ops: ArrayNamespace, mu: Numeric, sigma: Numeric, lower: Numeric
) -> Numeric:
    return _normal(x, ops, mu, sigma) - log_normal_cdf((mu - lower) / sigma, ops)


def _half_normal(x: Numeric, ops: ArrayNamespace, sigma: Numeric) -> Numeric:
    return _normal(x, ops, 0.0, sigma) + math.log(2)


def _log_normal(x: Numeric, ops: ArrayNamespace, mu: Numeric, sigma: Numeric) -> Numeric:
    log_x = ops.log(x)
    return _normal(log_x, ops, mu, sigma) - log_x


def _student_t(
    x: Numeric, ops: ArrayNamespace, nu: Numeric, mu: Numeric, sigma: Numeric
) -> Numeric:
    # One call for both gamma functions: half the code to compile.
    ends = log_gamma(ops.stack([0.5 * (nu + 1.0), 0.5 * nu]), ops)
    squared = ((x - mu) / sigma) ** 2
    norm = ends[0] - ends[1] - 0.5 * ops.log(nu * math.pi) - log(sigma, ops)
    return norm - 0.5 * (nu + 1.0) * ops.log1p(squared / nu)


def _beta(x: Numeric, ops: ArrayNamespace, alpha: Numeric, beta: Numeric) -> Numeric:
    log_norm = log_gamma(alpha, ops) + log_gamma(beta, ops) - log_gamma(alpha + beta, ops)
    return (alpha - 1.0) * ops.log(x) + (beta - 1.0) * ops.log1p(-x) - log_norm


def _gamma(x: Numeric, ops: ArrayNamespace, alpha: Numeric, beta: Numeric) -> Numeric:
    log_norm = log_gamma(alpha, ops) - alpha * log(beta, ops)
    return (alpha - 1.0) * ops.log(x) - beta * x - log_norm


def _inverse_gamma(x: Numeric, ops: ArrayNamespace, alpha: Numeric, beta: Numeric) -> Numeric:
    log_norm = log_gamma(alpha, ops) - alpha * log(beta, ops)
    return -(alpha + 1.0) * ops.log(x) - beta / x - log_norm


def _exponential(x: Numeric, ops: ArrayNamespace, lam: Numeric) -> Numeric:
    return log(lam, ops) - lam * x


def contaminated_parts(
    x: Numeric, ops: ArrayNamespace, mu: Numeric, sigma: Numeric, fraction: Numeric, excess: Numeric
) -> tuple[Any, Any]:
    """Log densities of a clean and of a contaminated run, each with its probability.

    The contaminated one is ``Normal(mu, sigma) + Exponential(mean excess)``, the exponentially
    modified Gaussian.
    """
    z = (x - mu) / sigma
    ratio = sigma / excess
    clean = ops.log1p(-fraction) + _normal(x, ops, mu, sigma)
    tail = ratio * (0.5 * ratio - z) - ops.log(excess) + log_normal_cdf(z - ratio, ops)
    return clean, ops.log(fraction) + tail


def _contaminated(x: Numeric, ops: ArrayNamespace, **arguments: Any) -> Numeric:
    return ops.logaddexp(*contaminated_parts(x, ops, **arguments))


def gross_error_parts(
    x: Numeric,
    ops: ArrayNamespace,
    nu: Numeric,
    mu: Numeric,
    sigma: Numeric,
    fraction: Numeric,
    gross: Numeric,
) -> tuple[Any, Any]:
    """Log densities of a good run and of one with a gross error, each with its probability.

    The good one is ``StudentT(nu, mu, sigma)``, the other ``Normal(mu, sqrt(sigma^2 + gross^2))``.
    """
    good = ops.log1p(-fraction) + _student_t(x, ops, nu, mu, sigma)
    wide = ops.sqrt(sigma**2 + gross**2)
    return good, ops.log(fraction) + _normal(x, ops, mu, wide)


def _gross_errors(x: Numeric, ops: ArrayNamespace, **arguments: Any) -> Numeric:
    return ops.logaddexp(*gross_error_parts(x, ops, **arguments))


def log_interval(low: Numeric, high: Numeric, ops: ArrayNamespace) -> Any:
    """Log probability that a standard Normal gives an interval."""
    # On the side where both tails are small: log(cdf(high) - cdf(low)) without cancellation.
    flip = low + high > 0.0
    left, right = ops.where(flip, -high, low), ops.where(flip, -low, high)
    log_left, log_right = log_normal_cdf(left, ops), log_normal_cdf(right, ops)
    return log_right + ops.log(-ops.expm1(log_left - log_right))


def _interval(
    x: Numeric, ops: ArrayNamespace, mu: Numeric, sigma: Numeric, below: Numeric, above: Numeric
) -> Numeric:
    return log_interval((x - below - mu) / sigma, (x + above - mu) / sigma, ops)


class _Mixture:
    """Two of SciPy's distributions, the other one with a probability."""

    def __init__(self, usual: Any, other: Any, fraction: Numeric) -> None:
        self._usual, self._other, self._fraction = usual, other, np.asarray(fraction)

    def logpdf(self, x: Numeric) -> np.ndarray:
        usual = np.log1p(-self._fraction) + self._usual.logpdf(x)
        return np.logaddexp(usual, np.log(self._fraction) + self._other.logpdf(x))

    def cdf(self, x: Numeric) -> np.ndarray:
        return (1 - self._fraction) * self._usual.cdf(x) + self._fraction * self._other.cdf(x)

    def rvs(self, size: Any = None, random_state: Any = None) -> np.ndarray:
        usual, other = (
            part.rvs(size=size, random_state=random_state) for part in (self._usual, self._other)
        )
        return np.where(random_state.random(np.shape(usual)) < self._fraction, other, usual)


class _Interval:
    """The oracle of an interval: the probability that SciPy's Normal gives it."""

    def __init__(
        self, stats: Any, mu: Numeric, sigma: Numeric, below: Numeric, above: Numeric
    ) -> None:
        self._normal, self._mu = stats.norm(mu, sigma), mu
        self._below, self._above = below, above

    def logpdf(self, x: Numeric) -> np.ndarray:
        low, high = x - self._below, x + self._above
        right = self._normal.sf(low) - self._normal.sf(high)
        left = self._normal.cdf(high) - self._normal.cdf(low)
        return np.log(np.where(low > self._mu, right, left))

    def rvs(self, size: Any = None, random_state: Any = None) -> np.ndarray:
        return self._normal.rvs(size=size, random_state=random_state)


def _uniform(x: Numeric, ops: ArrayNamespace, lower: Numeric, upper: Numeric) -> Numeric:
    return -log(upper - lower, ops) + 0.0 * x


FAMILIES: dict[str, Family] = {
    "Normal": Family(
        arguments=("mu", "sigma"),
        positive=("sigma",),
        support=lambda mu, sigma: REAL,
        log_density=_normal,
        numpyro=("Normal", ("loc", "scale")),
        scipy=lambda st, mu, sigma: st.norm(mu, sigma),
        draw=lambda rng, size, mu, sigma: rng.standard_normal(size) * sigma + mu,
        location="mu",
        scale="sigma",
    ),
    "HalfNormal": Family(
        arguments=("sigma",),
        positive=("sigma",),
        support=lambda sigma: POSITIVE,
        log_density=_half_normal,
        numpyro=("HalfNormal", ("scale",)),
        scipy=lambda st, sigma: st.halfnorm(scale=sigma),
    ),
    "TruncatedNormal": Family(
        arguments=("mu", "sigma", "lower"),
        positive=("sigma",),
        support=lambda mu, sigma, lower: above(lower),
        log_density=_truncated_normal,
        numpyro=("TruncatedNormal", ("loc", "scale", "low")),
        scipy=lambda st, mu, sigma, lower: st.truncnorm((lower - mu) / sigma, np.inf, mu, sigma),
    ),
    "LogNormal": Family(
        arguments=("mu", "sigma"),
        positive=("sigma",),
        support=lambda mu, sigma: POSITIVE,
        log_density=_log_normal,
        numpyro=("LogNormal", ("loc", "scale")),
        scipy=lambda st, mu, sigma: st.lognorm(sigma, scale=np.exp(mu)),
        draw=lambda rng, size, mu, sigma: np.exp(sigma * rng.standard_normal(size)) * np.exp(mu),
    ),
    "StudentT": Family(
        arguments=("nu", "mu", "sigma"),
        positive=("nu", "sigma"),
        support=lambda nu, mu, sigma: REAL,
        log_density=_student_t,
        numpyro=("StudentT", ("df", "loc", "scale")),
        scipy=lambda st, nu, mu, sigma: st.t(nu, mu, sigma),
        location="mu",
        scale="sigma",
        tail="nu",
    ),
    "Beta": Family(
        arguments=("alpha", "beta"),
        positive=("alpha", "beta"),
        support=lambda alpha, beta: UNIT,
        log_density=_beta,
        numpyro=("Beta", ("concentration1", "concentration0")),
        scipy=lambda st, alpha, beta: st.beta(alpha, beta),
    ),
    "Gamma": Family(
        arguments=("alpha", "beta"),
        positive=("alpha", "beta"),
        support=lambda alpha, beta: POSITIVE,
        log_density=_gamma,
        numpyro=("Gamma", ("concentration", "rate")),
        scipy=lambda st, alpha, beta: st.gamma(alpha, scale=1 / beta),
    ),
    "InverseGamma": Family(
        arguments=("alpha", "beta"),
        positive=("alpha", "beta"),
        support=lambda alpha, beta: POSITIVE,
        log_density=_inverse_gamma,
        numpyro=("InverseGamma", ("concentration", "rate")),
        scipy=lambda st, alpha, beta: st.invgamma(alpha, scale=beta),
    ),
    "Exponential": Family(
        arguments=("lam",),
        positive=("lam",),
        support=lambda lam: POSITIVE,
        log_density=_exponential,
        numpyro=("Exponential", ("rate",)),
        scipy=lambda st, lam: st.expon(scale=1 / lam),
    ),
    "Uniform": Family(
        arguments=("lower", "upper"),
        positive=(),
        support=lambda lower, upper: interval(lower, upper),
        log_density=_uniform,
        numpyro=("Uniform", ("low", "high")),
        scipy=lambda st, lower, upper: st.uniform(lower, upper - lower),
    ),
    "Contaminated": Family(
        arguments=("mu", "sigma", "fraction", "excess"),
        positive=("sigma", "fraction", "excess"),
        support=lambda mu, sigma, fraction, excess: REAL,
        log_density=_contaminated,
        numpyro=None,
        scipy=lambda st, mu, sigma, fraction, excess: _Mixture(
            st.norm(mu, sigma), st.exponnorm(excess / sigma, mu, sigma), fraction
        ),
        location="mu",
        scale="sigma",
    ),
    "GrossErrors": Family(
        arguments=("nu", "mu", "sigma", "fraction", "gross"),
        positive=("nu", "sigma", "fraction", "gross"),
        support=lambda nu, mu, sigma, fraction, gross: REAL,
        log_density=_gross_errors,
        numpyro=None,
        scipy=lambda st, nu, mu, sigma, fraction, gross: _Mixture(
            st.t(nu, mu, sigma), st.norm(mu, np.hypot(sigma, gross)), fraction
        ),
        location="mu",
        scale="sigma",
        tail="nu",
    ),
    "Interval": Family(
        arguments=("mu", "sigma", "below", "above"),
        positive=("sigma",),
        support=lambda mu, sigma, below, above: REAL,
        log_density=_interval,
        numpyro=None,
        scipy=_Interval,
        location="mu",
        scale="sigma",
        is_probability=True,
    ),
}
