"""Special functions by array library: what NumPy's and JAX's namespaces lack.

Every other formula is written in functions that all namespaces share; a namespace that is neither
(PyTensor's, in `bayescale.distributions.pytensor_ops`) brings these itself.
"""

import math
from typing import Any

import numpy as np

from theory.declaration.namespace import ArrayNamespace, Numeric


def log_gamma(x: Any, ops: ArrayNamespace) -> Any:
    """Logarithm of the gamma function."""
    if isinstance(x, float | int):  # constants of a prior are not worth compiling
        return math.lgamma(x)
    own = getattr(ops, "log_gamma", None)
    if own is not None:
        return own(x)
    if ops is np:
        from scipy.special import gammaln

        return gammaln(x)
    from jax.lax import lgamma

    return lgamma(x)


def log_normal_cdf(x: Any, ops: ArrayNamespace) -> Any:
    """Logarithm of the standard normal distribution function, accurate in the left tail."""
    own = getattr(ops, "log_normal_cdf", None)
    if own is not None:
        return own(x)
    if ops is np:
        from scipy.special import log_ndtr

        return log_ndtr(x)
    from jax.scipy.special import log_ndtr

    return log_ndtr(x)


def log(x: Numeric, ops: ArrayNamespace) -> Any:
    """Logarithm; of a constant without the array library."""
    return math.log(x) if isinstance(x, float | int) else ops.log(x)
