"""Arithmetic with any number of digits, in the form in which laws are evaluated.

`Precise` is a stand-in for `numpy` in `theory.declaration.logdomain`: the walk that compiles a law
to JAX then evaluates it with mpmath, so that what a refutation claims is checked far below
rounding.
"""

import math
from collections.abc import Callable
from typing import Any, final

import mpmath
import sympy

from theory.declaration.namespace import Numeric

DIGITS = 50
"""Digits at which witnesses are checked."""


@final
class Precise:
    """A namespace of functions of `digits` decimal digits, with a context of its own.

    Examples
    --------
    >>> ops = Precise(30)
    >>> print(ops.logaddexp(ops.mpf(0), ops.mpf(0)))
    0.693147180559945309417232121458
    """

    def __init__(self, digits: int = DIGITS) -> None:
        self.context = mpmath.MPContext()
        self.context.dps = digits
        self.exp, self.mpf = self.context.exp, self.context.mpf
        self.log1p = self.context.log1p
        self.maximum, self.minimum = max, min
        # Each Newton step doubles the digits; eight give the first 16.
        self.newton_steps = 9 + max(0, math.ceil(math.log2(digits / 16)))

    def log(self, value: Numeric) -> Numeric:
        """Natural logarithm; NaN of what is negative, as in `numpy`, not a complex number."""
        return self.context.nan if value < 0 else self.context.log(value)

    def expm1(self, value: Numeric) -> Numeric:
        """``exp(value) - 1``, without a search for the digits of an exponential below all."""
        return self.mpf(-1) if value < -3 * self.context.dps else self.context.expm1(value)

    def logaddexp(self, a: Any, b: Any) -> Any:
        """``log(exp(a) + exp(b))``."""
        high, low = (a, b) if a >= b else (b, a)
        if low == -math.inf:
            return high
        return high + self.log1p(self.exp(low - high))

    def from_number(self, value: sympy.Expr | float) -> Numeric:
        """A SymPy number, or a Python one, as an mpf."""
        exact: Any = sympy.sympify(value, strict=True)
        if isinstance(exact, sympy.Rational):
            return self.mpf(int(exact.p)) / int(exact.q)
        return self.context.make_mpf(exact.evalf(self.context.dps)._mpf_)

    def slope(self, function: Callable[[Numeric], Numeric], at: Numeric, order: int = 1) -> Any:
        """First or second derivative: a central difference with half or a third of the digits."""
        step = self.mpf(10) ** -(self.context.dps // (order + 2))
        if order == 1:
            return (function(at + step) - function(at - step)) / (2 * step)
        return (function(at + step) - 2 * function(at) + function(at - step)) / step**2

    def to_sympy(self, value: Numeric) -> Any:
        """An mpf as a SymPy Float with all its digits, or SymPy's NaN, which is none."""
        return sympy.Float(self.context.nstr(value, self.context.dps), self.context.dps)
