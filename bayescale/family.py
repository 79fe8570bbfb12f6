"""How each probability distribution is spelt: one table for every engine.

A family is a row of `FAMILIES`: its arguments under their canonical names (those of PyMC), its
support, its log density in the functions that NumPy and JAX share, its name in NumPyro, and its
SciPy distribution, which draws samples and serves as the oracle of the tests.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from bayescale.support import POSITIVE, REAL, UNIT, Support, interval


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
        Class name in `numpyro.distributions` and its keyword for each argument, in order.
    scipy
        ``(scipy.stats, **arguments) -> frozen distribution``.
    """

    arguments: tuple[str, ...]
    positive: tuple[str, ...]
    support: Callable[..., Support]
    log_density: Callable[..., Any]
    numpyro: tuple[str, tuple[str, ...]]
    scipy: Callable[..., Any]


def _log_gamma(x: Any, ops: ModuleType) -> Any:
    if isinstance(x, float | int):  # constants of a prior are not worth compiling
        return math.lgamma(x)
    if ops is np:
        from scipy.special import gammaln

        return gammaln(x)
    from jax.lax import lgamma

    return lgamma(x)


def _log(x: Any, ops: ModuleType) -> Any:
    return math.log(x) if isinstance(x, float | int) else ops.log(x)


def _normal(x: Any, ops: ModuleType, mu: Any, sigma: Any) -> Any:
    return -0.5 * ((x - mu) / sigma) ** 2 - _log(sigma, ops) - 0.5 * math.log(2 * math.pi)


def _half_normal(x: Any, ops: ModuleType, sigma: Any) -> Any:
    return _normal(x, ops, 0.0, sigma) + math.log(2)


def _log_normal(x: Any, ops: ModuleType, mu: Any, sigma: Any) -> Any:
    log_x = ops.log(x)
    return _normal(log_x, ops, mu, sigma) - log_x


def _student_t(x: Any, ops: ModuleType, nu: Any, mu: Any, sigma: Any) -> Any:
    # One call for both gamma functions: half the code to compile.
    ends = _log_gamma(ops.stack([0.5 * (nu + 1.0), 0.5 * nu]), ops)
    squared = ((x - mu) / sigma) ** 2
    norm = ends[0] - ends[1] - 0.5 * ops.log(nu * math.pi) - _log(sigma, ops)
    return norm - 0.5 * (nu + 1.0) * ops.log1p(squared / nu)


def _beta(x: Any, ops: ModuleType, alpha: Any, beta: Any) -> Any:
    log_norm = _log_gamma(alpha, ops) + _log_gamma(beta, ops) - _log_gamma(alpha + beta, ops)
    return (alpha - 1.0) * ops.log(x) + (beta - 1.0) * ops.log1p(-x) - log_norm


def _gamma(x: Any, ops: ModuleType, alpha: Any, beta: Any) -> Any:
    log_norm = _log_gamma(alpha, ops) - alpha * _log(beta, ops)
    return (alpha - 1.0) * ops.log(x) - beta * x - log_norm


def _inverse_gamma(x: Any, ops: ModuleType, alpha: Any, beta: Any) -> Any:
    log_norm = _log_gamma(alpha, ops) - alpha * _log(beta, ops)
    return -(alpha + 1.0) * ops.log(x) - beta / x - log_norm


def _exponential(x: Any, ops: ModuleType, lam: Any) -> Any:
    return _log(lam, ops) - lam * x


def _uniform(x: Any, ops: ModuleType, lower: Any, upper: Any) -> Any:
    return -_log(upper - lower, ops) + 0.0 * x


FAMILIES: dict[str, Family] = {
    "Normal": Family(
        arguments=("mu", "sigma"),
        positive=("sigma",),
        support=lambda mu, sigma: REAL,
        log_density=_normal,
        numpyro=("Normal", ("loc", "scale")),
        scipy=lambda st, mu, sigma: st.norm(mu, sigma),
    ),
    "HalfNormal": Family(
        arguments=("sigma",),
        positive=("sigma",),
        support=lambda sigma: POSITIVE,
        log_density=_half_normal,
        numpyro=("HalfNormal", ("scale",)),
        scipy=lambda st, sigma: st.halfnorm(scale=sigma),
    ),
    "LogNormal": Family(
        arguments=("mu", "sigma"),
        positive=("sigma",),
        support=lambda mu, sigma: POSITIVE,
        log_density=_log_normal,
        numpyro=("LogNormal", ("loc", "scale")),
        scipy=lambda st, mu, sigma: st.lognorm(sigma, scale=np.exp(mu)),
    ),
    "StudentT": Family(
        arguments=("nu", "mu", "sigma"),
        positive=("nu", "sigma"),
        support=lambda nu, mu, sigma: REAL,
        log_density=_student_t,
        numpyro=("StudentT", ("df", "loc", "scale")),
        scipy=lambda st, nu, mu, sigma: st.t(nu, mu, sigma),
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
}
