"""Where a distribution lives, and the smooth map from the real line onto it.

Everything is written in functions that NumPy and JAX share; `ops` is either namespace.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any

from theory.declaration.namespace import ArrayNamespace, Numeric

Map = Callable[[Any, ArrayNamespace], Any]


@dataclass(frozen=True)
class Support:
    """A set of numbers and its bijection with the real line.

    Parameters
    ----------
    lower, upper
        Its ends, which do not belong to it.
    from_real, to_real
        The bijection and its inverse.
    log_jacobian
        Log derivative of `from_real` at a real number.
    """

    lower: Any
    upper: Any
    from_real: Map
    to_real: Map
    log_jacobian: Map


def _sigmoid(u: Numeric, ops: ArrayNamespace) -> Numeric:
    return ops.exp(-ops.logaddexp(0.0, -u))


def _logit(x: Numeric, ops: ArrayNamespace) -> Numeric:
    return ops.log(x) - ops.log1p(-x)


def _log_sigmoid_slope(u: Numeric, ops: ArrayNamespace) -> Numeric:
    return -u - 2.0 * ops.logaddexp(0.0, -u)


REAL = Support(-inf, inf, lambda u, ops: u, lambda x, ops: x, lambda u, ops: 0.0 * u)
POSITIVE = Support(0.0, inf, lambda u, ops: ops.exp(u), lambda x, ops: ops.log(x), lambda u, ops: u)
UNIT = Support(0.0, 1.0, _sigmoid, _logit, _log_sigmoid_slope)


def above(lower: Any) -> Support:
    """The numbers above `lower`."""
    if isinstance(lower, float) and lower == 0.0:
        return POSITIVE
    return Support(
        lower,
        inf,
        lambda u, ops: lower + ops.exp(u),
        lambda x, ops: ops.log(x - lower),
        lambda u, ops: u,
    )


def interval(lower: Any, upper: Any) -> Support:
    """The open interval from `lower` to `upper`."""
    width = upper - lower
    return Support(
        lower,
        upper,
        lambda u, ops: lower + width * _sigmoid(u, ops),
        lambda x, ops: _logit((x - lower) / width, ops),
        lambda u, ops: _log_sigmoid_slope(u, ops) + ops.log(width),
    )
