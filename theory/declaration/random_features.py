r"""The scaling function of optimally ridged random features: what joins the limits of N and D.

    s = [(1 + x) + sqrt((1 + x)^2 + 4 x (1 - alpha)(2 + alpha)/(alpha (1 + alpha)))]/2,
    W(x) = s^alpha (1 - a)/(1 - a (1 + x)/s + (2 a - 1) x/s^2),       a = alpha/(1 + alpha),

``x = P/D``, derived in `theory.learning.random_features.optimal_ridge`. It is declared here once,
without arrays: the law ``random_features`` of the catalogue is made from it, and its numbers are
in `theory.learning.random_features.scaling_function`.
"""

from functools import cache
from typing import cast

import sympy

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
    return cast(sympy.Expr, declared().subs({_X: x, _ALPHA: alpha}, simultaneous=True))


@cache
def declared() -> sympy.Expr:
    """W of the symbols ``x`` and ``alpha``."""
    x, k = _X, _ALPHA
    half = sympy.Rational(1, 2)
    below = 4 * x * (2 + k) / (k * (1 + k))  # 4 (beta/alpha) x, beta = (1 - alpha)(2 + alpha)/...
    root = half * ((1 + x) + sympy.sqrt((1 + x) ** 2 + below - 4 * x * (2 + k) / (1 + k)))
    a = k / (1 + k)
    inner = 1 + 2 * a * x / root**2 - a * (1 + x) / root - x / root**2
    return root**k / (1 + k) / inner
