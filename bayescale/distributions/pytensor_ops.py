"""PyTensor in the form in which laws and likelihoods are evaluated: a stand-in for `numpy`.

PyTensor gives a Python number the narrowest type that holds it exactly, and folds constants in
that type: ``log(3.0)`` is a float32 number. Here every number and array becomes float64 first.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytensor.tensor as pt

from bayescale.errors import UsageError
from theory.declaration.namespace import Numeric

Function = Callable[..., Any]


def asarray(x: Any) -> Any:
    """A PyTensor variable; numbers as float64, integer arrays as they are."""
    if isinstance(x, pt.TensorVariable):
        return x
    array = np.asarray(x)
    return pt.as_tensor(array if array.ndim and array.dtype.kind in "iub" else np.float64(array))


def _elementwise(function: Function) -> Function:
    return lambda *arguments: function(*map(asarray, arguments))


exp, log, sqrt = map(_elementwise, (pt.exp, pt.log, pt.sqrt))
log1p, expm1 = map(_elementwise, (pt.log1p, pt.expm1))
maximum, minimum = map(_elementwise, (pt.maximum, pt.minimum))
where = _elementwise(pt.switch)
log_gamma = _elementwise(pt.gammaln)


@_elementwise
def logaddexp(a: Any, b: Any) -> Any:
    """``log(exp(a) + exp(b))``; PyTensor's own loses the smaller of two distant terms."""
    return pt.switch(a > b, a + pt.softplus(b - a), b + pt.softplus(a - b))


@_elementwise
def log_normal_cdf(x: Any) -> Any:
    """Log of the standard normal distribution function.

    Each of the two forms is evaluated on its own side only, so that the gradient of the other is
    finite where it is not used.
    """
    left: Any = pt.minimum(x, -1.0) * np.sqrt(0.5)
    right: Any = pt.maximum(x, -1.0) * np.sqrt(0.5)
    scaled: Any = pt.erfcx(-left)
    above: Any = pt.erfc(right)
    return pt.switch(x < -1.0, pt.log(0.5 * scaled) - left**2, pt.log1p(-0.5 * above))


def cumsum(x: Any, axis: int) -> Any:
    """Cumulative sum along an axis."""
    x = asarray(x)
    return pt.cumsum(x, axis=axis % x.ndim)


def stack(arrays: Sequence[Any], axis: int = 0) -> Any:
    """Join arrays of one shape along a new axis."""
    return pt.stack(list(map(asarray, arrays)), axis=axis)


def concatenate(arrays: Sequence[Any], axis: int = 0) -> Any:
    """Join arrays along an axis."""
    return pt.concatenate(list(map(asarray, arrays)), axis=axis)


def full(shape: tuple[int, ...], value: Numeric) -> Any:
    """An array filled with a value."""
    return pt.full(shape, asarray(value))


def wrap_jax(function: Function, *arguments: Any) -> Any:
    """A JAX function of variables, with JAX's gradient; mappings of variables are allowed.

    PyTensor computes in double precision, and calls JAX whenever its own function is called.

    Raises
    ------
    UsageError
        If JAX would then compute in single precision.
    """
    import jax
    import pytensor

    if not jax.config.jax_enable_x64:
        raise UsageError(
            "PyMC computes in double precision, and of a law that is a program so must JAX; build "
            "and sample the model inside `with jax.enable_x64(True):`, or fit with "
            "engine='numpyro'."
        )
    return pytensor.wrap_jax(function)(*arguments)
