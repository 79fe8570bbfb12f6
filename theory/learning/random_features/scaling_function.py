"""Numbers of the scaling function W that `theory.declaration.random_features` declares."""

import jax.numpy as jnp

from theory.declaration.logdomain import log_value
from theory.declaration.namespace import Elementary, Numeric
from theory.declaration.random_features import declared, scaling_function

__all__ = ["log_scaling_function", "scaling_function"]


def log_scaling_function(alpha: Numeric, log_x: Numeric, ops: Elementary = jnp) -> Numeric:
    """``log W`` as numbers, differentiable in JAX.

    Parameters
    ----------
    alpha
        Exponents, above 0.
    log_x
        ``log(P/D)``; broadcasts with alpha.
    ops
        Array namespace, `jax.numpy` or `numpy`.

    Examples
    --------
    >>> import numpy as np
    >>> float(np.exp(log_scaling_function(1.0, 0.0, np)).round(9))
    2.0
    """
    return log_value(declared(), {"alpha": ops.log(alpha), "x": log_x}, ops)
