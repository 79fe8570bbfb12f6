"""Priors of a law's exponents from the geometry of the inputs, before any training."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bayescale.distributions.prior import Prior
from bayescale.errors import UsageError
from bayescale.models.formulas import find_law
from theory.declaration.abstract_law import AbstractLaw
from theory.declaration.symbols import D, N, Role
from theory.learning.geometry.dimension import Dimension, intrinsic_dimension
from theory.learning.geometry.learning_curve import LearningCurve, kernel_exponent

SMOOTHNESS, SMOOTHNESS_SPREAD = 2.0, 0.5
"""Prior for a learner of which nothing is known: from 1 to 4 within a factor of two."""

BOUND_SPREAD = 0.3
"""Log-sd of an exponent about its bound, or about that of a kernel."""

TASK, SPECTRUM = "a_1", "b_1"
"""Parameters of the solved dynamics: ``a - 1``, the exponent in data of all but the easiest tasks,
and ``b - 1``, by which the spectrum of the kernel falls faster than 1/k."""

ROUGHNESS = {"laplace": 0.5, "matern32": 1.5, "matern52": 2.5}
"""Matern's nu: on a d-dimensional set the spectrum falls as ``k^-(1 + 2 nu/d)``."""

RELU = 0.5
"""That of the tangent kernel of a ReLU network, for learners of which nothing is known."""

DUALITY_SPREAD = 0.3
"""Log-sd of the ratio of the exponents in model size and data, which are equal for linear
features whose teacher is as rough as they are."""

LAZY = (
    "This is what a learner with fixed features would do on these inputs: a network that learns "
    "features may have a larger exponent, and labels rougher or smoother than assumed another, so "
    "let the runs overrule it."
)


@dataclass(frozen=True)
class DataPrior(Mapping[str, Prior]):
    """Priors of a law's exponents from data, as `fit(prior=...)` takes them, and why.

    Parameters
    ----------
    table
        Parameter -> prior.
    reasoning
        How they came about, in words.
    dimension
        Intrinsic dimension of the inputs, if the priors rest on it.
    curve
        Learning curve of the kernel, if they rest on that.
    """

    table: Mapping[str, Prior]
    reasoning: str
    dimension: Dimension | None = None
    curve: LearningCurve | None = None

    def __getitem__(self, name: str) -> Prior:
        return self.table[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.table)

    def __len__(self) -> int:
        return len(self.table)


def prior_from_data(
    X: Any,
    *,
    law: str | AbstractLaw = "chinchilla",
    smoothness: float | None = None,
    kernel: str | Callable[[Any, Any], Any] | None = None,
    rows: int | None = None,
    seed: int = 0,
) -> DataPrior:
    """Priors of a law's exponents in data and model size, from the inputs of its runs.

    The exponent in data is LogNormal. By the intrinsic dimension d of the inputs it is ``s/d``,

        mu = ln s - mu_d,   sigma^2 = sigma_d^2 + sigma_s^2,

    where s is 2 for a squared or cross-entropy loss of a function that is Lipschitz, 4 for a
    smooth one, 1 for an absolute error: bounds from below, which hold with equality as a rule,
    hence ``sigma_s = 0.3`` (and s = 2 with ``sigma_s = 0.5`` where it is not given). With a kernel
    it is the exponent of the kernel's learning curve on the inputs, with the same ``sigma = 0.3``
    beside the curve's own uncertainty. The exponent in model size has the same median and, since
    the two agree (duality) only in the simplest case, 0.3 more in quadrature.

    Laws of the solved dynamics (``dmft``, ``dmft_tied``) have two exponents instead. The task's
    ``a_1 = a - 1`` is the exponent in data, and takes its prior. The spectrum's ``b_1 = b - 1`` is
    ``2 nu/d`` on a d-dimensional set for a Matern kernel of smoothness nu, and 1/d for the tangent
    kernel of a ReLU network, which is as rough as Laplace's: LogNormal with ``sigma_d`` and 0.3 in
    quadrature, 0.5 where no kernel is named. Other kernels say nothing of ``b_1``, which then
    keeps the law's own prior.

    Parameters
    ----------
    X
        Matrix of inputs, a row for each example: an array, data frame or `numpy.memmap`.
    law
        Name of a law, a law, or a formula.
    smoothness
        ``s`` above.
    kernel
        ``"laplace"``, ``"matern32"``, ``"matern52"``, ``"rbf"``, or a function of two matrices of
        rows, such as the neural tangent kernel of the network. Instead of `smoothness`.
    rows
        Most rows of X to use, drawn at random; by default 8192 for the dimension, 2048 for a
        kernel.
    seed
        Of the draws.

    Raises
    ------
    UsageError
        Smoothness and kernel are both given, a number is out of range, or the law has no exponent
        in data or model size.
    GeometryError
        The data do not let their geometry be estimated.

    References
    ----------
    Geifman et al. (2020), arXiv:2007.01580, theorem 1, for the spectrum of the tangent kernel of
    ReLU networks; Sharma and Kaplan (2022), J. Mach. Learn. Res. 23, section 2, for 4/d; Bahri et
    al. (2024), PNAS 121, arXiv:2102.06701, for 1/d, 2/d, and the duality of the two exponents.

    Examples
    --------
    >>> import numpy as np
    >>> square = np.random.default_rng(0).uniform(size=(1000, 2))
    >>> prior = prior_from_data(square, smoothness=2, law="chinchilla")
    >>> list(prior), round(np.exp(prior["beta"].arguments["mu"]), 1)
    (['beta', 'alpha'], np.float64(1.0))
    """
    if smoothness is not None and kernel is not None:
        raise UsageError(
            "smoothness and kernel are two ways to the same exponent; give one of them."
        )
    if smoothness is not None and not (math.isfinite(smoothness) and smoothness > 0):
        raise UsageError(f"smoothness must be finite and positive; got {smoothness}.")
    if seed < 0:
        raise UsageError(f"seed must not be negative; got {seed}.")
    law = find_law(law)
    solved = {TASK, SPECTRUM} <= {p.name for p in law.parameters}
    in_data, in_size = (TASK, None) if solved else _exponents(law)
    limit = {} if rows is None else {"rows": rows}
    dimension = curve = None
    if kernel is not None:
        curve = kernel_exponent(X, kernel, seed=seed, **limit)
        if not curve.alpha > 0:
            raise UsageError(
                f"the learning curve of kernel '{curve.kernel}' has exponent {curve.alpha:.3g} on "
                "these inputs, so it does not learn them; choose another kernel."
            )
        mu, variance = math.log(curve.alpha), _curve_variance(curve) + BOUND_SPREAD**2
        if solved and kernel in ROUGHNESS:
            dimension = intrinsic_dimension(X, seed=seed, **limit)
        why = _curve_words(curve)
    else:
        dimension = intrinsic_dimension(X, seed=seed, **limit)
        chosen, spread = (
            (SMOOTHNESS, SMOOTHNESS_SPREAD) if smoothness is None else (smoothness, BOUND_SPREAD)
        )
        mu, variance = math.log(chosen) - dimension.mu, dimension.sigma**2 + spread**2
        why = _dimension_words(dimension, chosen, smoothness is not None)
    table = {}
    if in_data is not None:
        table[in_data] = Prior("LogNormal", mu=mu, sigma=math.sqrt(variance))
    if in_size is not None and in_size != in_data:
        table[in_size] = Prior(
            "LogNormal", mu=mu, sigma=math.hypot(math.sqrt(variance), DUALITY_SPREAD)
        )
    words = [why, *(_prior_words(name, prior, name != in_data) for name, prior in table.items())]
    if solved and dimension is not None:
        table[SPECTRUM] = _spectrum_prior(dimension, kernel)
        words.append(_spectrum_words(table[SPECTRUM], kernel))
    return DataPrior(table, " ".join((*words, LAZY)), dimension, curve)


def _exponents(law: AbstractLaw) -> tuple[str | None, str | None]:
    """Parameters that are the law's exponents in data and in model size."""
    by_symbol: dict[Any, str] = {
        p.symbol: p.name for p in law.parameters if p.role is Role.EXPONENT
    }
    weights = law.weights or {}
    in_data, in_size = (by_symbol.get(weights.get(resource)) for resource in (D, N))
    if in_data is None and in_size is None:
        raise UsageError(
            f"law '{law.name}' has no parameter that is its exponent in D or N, so data set no "
            "prior in it; use a law such as 'chinchilla', 'share', 'power_D' or 'dmft'."
        )
    return in_data, in_size


def _spectrum_prior(dimension: Dimension, kernel: Any) -> Prior:
    """Of ``b_1 = 2 nu/d``."""
    nu, spread = (RELU, SMOOTHNESS_SPREAD) if kernel is None else (ROUGHNESS[kernel], BOUND_SPREAD)
    mu = math.log(2 * nu) - dimension.mu
    return Prior("LogNormal", mu=mu, sigma=math.hypot(dimension.sigma, spread))


def _spectrum_words(prior: Prior, kernel: Any) -> str:
    named = "the tangent kernel of a ReLU network" if kernel is None else f"kernel '{kernel}'"
    number = _interval(prior.arguments["mu"], prior.arguments["sigma"])
    return (
        f"The spectrum of {named} on them falls as k^-(1 + {SPECTRUM}), so {SPECTRUM} is {number}."
    )


def _curve_variance(curve: LearningCurve) -> float:
    """Variance of the log exponent: of the choice of examples, and as the curve bends."""
    return (curve.standard_error**2 + (curve.drift / 2) ** 2) / curve.alpha**2


def _interval(mu: float, sigma: float) -> str:
    """Middle 90% of a LogNormal, in words."""
    low, high = (math.exp(mu + sign * 1.645 * sigma) for sign in (-1, 1))
    return f"{math.exp(mu):.3g} (90% {low:.3g} to {high:.3g})"


def _curve_words(curve: LearningCurve) -> str:
    scale = "" if curve.length_scale is None else f" with length scale {curve.length_scale:.3g}"
    bend = (
        f", with {abs(curve.drift):.2g} {'more' if curve.drift > 0 else 'less'} in its later half"
    )
    return " ".join(
        (
            *curve.remarks,
            f"The noise-free learning curve of kernel '{curve.kernel}'{scale} on these inputs "
            f"falls as D^-{curve.alpha:.3g} (standard error {curve.standard_error:.2g}) from D = "
            f"{curve.sizes[0]} to {curve.sizes[-1]}{bend}.",
        )
    )


def _dimension_words(dimension: Dimension, smoothness: float, given: bool) -> str:
    found = ", ".join(
        f"{e.estimator} {e.raw.mean:.2f} from {e.sizes[0]} points and {e.values[-1]:.2f} from "
        f"{e.sizes[-1]}"
        for e in dimension.estimates
    )
    origin = "as given" if given else "between rough (1) and smooth (4), as none was given"
    return " ".join(
        (
            *dimension.remarks,
            f"The inputs have intrinsic dimension {_interval(dimension.mu, dimension.sigma)} in "
            f"{dimension.columns} columns ({found}).",
            f"A learner that resolves a function of smoothness {smoothness:g} ({origin}) on a "
            f"d-dimensional set has a loss that falls at least as D^-({smoothness:g}/d).",
        )
    )


def _prior_words(name: str, prior: Prior, by_duality: bool) -> str:
    number = _interval(prior.arguments["mu"], prior.arguments["sigma"])
    reason = ", the exponent in N, by duality with wider spread" if by_duality else ""
    return f"So {name} is {number}{reason}."
