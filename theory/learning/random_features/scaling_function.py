r"""The scaling function of optimally ridged random features: what joins the limits of N and D.

    s = [(1 + x) + sqrt((1 + x)^2 + 4 x (1 - alpha)(2 + alpha)/(alpha (1 + alpha)))]/2,
    W(x) = s^alpha (1 - a)/(1 - a (1 + x)/s + (2 a - 1) x/s^2),       a = alpha/(1 + alpha),

``x = P/D``, derived in `theory.learning.random_features.optimal_ridge`. It is declared here once:
the law ``random_features`` of the catalogue is made from it.
"""

from functools import cache
from typing import cast

import jax.numpy as jnp
import sympy

from theory.declaration.logdomain import log_value
from theory.declaration.namespace import Elementary, Numeric

_X, _ALPHA = sympy.symbols("x alpha", positive=True)


def scaling_function(x: sympy.Expr, alpha: sympy.Expr) -> sympy.Expr:
    """W as an expression.

    Parameters
    ----------
    x
        ``P/D``; a positive symbol, or any expression.
    alpha
        ``alpha_K``; likewise.

    Examples
    --------
    >>> x = sympy.Symbol("x", positive=True)
    >>> sympy.simplify(scaling_function(x, sympy.Integer(1)))
    x + 1
    """
    return cast(sympy.Expr, _declared().subs({_X: x, _ALPHA: alpha}, simultaneous=True))


@cache
def _declared() -> sympy.Expr:
    x, k = _X, _ALPHA
    half = sympy.Rational(1, 2)
    below = 4 * x * (2 + k) / (k * (1 + k))  # 4 (beta/alpha) x, beta = (1 - alpha)(2 + alpha)/...
    root = half * ((1 + x) + sympy.sqrt((1 + x) ** 2 + below - 4 * x * (2 + k) / (1 + k)))
    a = k / (1 + k)
    inner = 1 + 2 * a * x / root**2 - a * (1 + x) / root - x / root**2
    return root**k / (1 + k) / inner


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
    return log_value(_declared(), {"alpha": ops.log(alpha), "x": log_x}, ops)
