"""Law <-> scaling function W(x) <-> crossover distribution F(u), for laws in two sizes.

With ``l_i`` the loss limited by resource i alone and ``v = ln(l_2/l_1)``, a homogeneous law is
``ln kernel = ln l_1 + w(v)``. It is monotone where ``0 <= w' <= 1``, log-log convex where
``w'' >= 0``, and then ``F(v) = w'(v)`` is the cumulative distribution function of the position of
the crossover. In the variables of the scaling equation ``x = exp(v/alpha_2)`` and
``u = ln x = v/alpha_2``. The variance-limited exponents are the tails of F:
``F ~ e^(rho_2 u)`` for u -> -oo and ``1 - F ~ e^(-rho_1 u alpha_2/alpha_1)`` for u -> oo.
"""

import numpy as np
import sympy

from theory.declaration.abstract_law import AbstractLaw
from theory.declaration.cdf import logistic
from theory.declaration.law import Law
from theory.declaration.logdomain import value
from theory.declaration.namespace import Elementary, Environment, Numeric
from theory.declaration.symbols import Resource
from theory.declaration.timebox import within
from theory.errors import TheoryError

BUDGET = 10.0
"""Seconds that simplifying F may take."""

FAR = 1e4
"""E-folds at which the other resource counts as infinite."""


def generator(law: Law, x: sympy.Symbol) -> sympy.Expr:
    """``W(x)`` of a closed-form law: its kernel at ``n = 1, d = x`` in inverse sizes.

    Amplitudes stand in it, so ``W(0)`` is that of the first resource.

    Raises
    ------
    TheoryError
        If the law is not homogeneous in exactly two sizes.

    Examples
    --------
    >>> from theory import laws
    >>> generator(laws.chinchilla, sympy.Symbol("x", positive=True))
    A + B*x**beta
    """
    first, second = _two(law)
    return law.kernel.subs({first.symbol: 1, second.symbol: 1 / x})


def dual(
    generator: sympy.Expr, x: sympy.Symbol, alpha_1: sympy.Expr, alpha_2: sympy.Expr
) -> sympy.Expr:
    """``W̄(y) = y^alpha_1 W(y^(-alpha_1/alpha_2))``: the same law seen from the other resource.

    ``L = n^alpha_1 W(x) = d^alpha_2 W̄(y)`` with ``y = n/d^(alpha_2/alpha_1)``; the result is in
    the same symbol.
    """
    there = x ** (-sympy.sympify(alpha_1, strict=True) / alpha_2)
    return sympy.powsimp(x**alpha_1 * generator.subs(x, there))


def crossover(law: Law, u: sympy.Symbol) -> sympy.Expr:
    """``F(u) = e_2/alpha_2`` along ``u = ln x``, the elasticity share of the second resource."""
    first, second = _two(law)
    assert law.weights is not None
    share = law.elasticity_expressions()[second] / law.weights[second]
    along = share.subs({first.symbol: 1, second.symbol: sympy.exp(-u)})
    simple = within(BUDGET, sympy.simplify, along)
    return along if simple is None else simple


def log_generator(
    law: AbstractLaw, parameters: Environment, log_ratio: Numeric, ops: Elementary = np
) -> Numeric:
    """``w(v)``, the log of the kernel over the loss limited by the first resource.

    Parameters
    ----------
    law
        Homogeneous in two sizes, with both single-resource limits.
    parameters
        Logarithm of each positive parameter, value of each other; arrays of shape (draw, 1) or
        scalars.
    log_ratio
        ``v = ln(l_2/l_1)``, shape (point,).

    Returns
    -------
    Array (draw, point) or (point,).
    """
    first, second = _two(law)
    assert law.weights is not None
    slope = value(sympy.sympify(law.weights[second], strict=True), parameters, ops)
    log_first, log_second = (
        law.log_kernel(parameters, {first.name: at, second.name: FAR - at}, ops)
        for at in (0.0, FAR)
    )
    # l_2 at log size s is log_second - slope * s
    there = (log_second - log_first - log_ratio) / slope
    return law.log_kernel(parameters, {first.name: 0.0, second.name: there}, ops) - log_first


def power_mean(log_ratio: Numeric, sharpness: Numeric, ops: Elementary = np) -> Numeric:
    """``w(v) = ln(1 + e^(q v))/q`` of the CES law: q = 1 adds, 1/alpha_2 is Kaplan's form."""
    return ops.logaddexp(0.0, sharpness * log_ratio) / sharpness


def steps_cdf(
    u: sympy.Symbol,
    exponent: sympy.Expr,
    sharpness: sympy.Expr,
    spread: sympy.Expr,
    sticks: tuple[sympy.Expr, sympy.Expr],
) -> sympy.Expr:
    """F as three logistic steps at ordered, equally spaced places: the semi-parametric family.

    In ``v = alpha_2 u`` the steps stand at ``m_j = (j - mean) d`` with weights from two sticks of
    a Dirichlet; a part `spread` of the variance of F is between the steps and the rest within
    them, and the whole has the variance ``pi^2/(3 q^2)`` of the CES law with sharpness q. So
    ``spread -> 0`` is the CES law (q = 1: Chinchilla; q = 1/alpha_2: Kaplan), whatever the weights.

    Parameters
    ----------
    u
        ``ln x``.
    exponent
        ``alpha_2``.
    sharpness
        q.
    spread
        Between 0 and 1.
    sticks
        ``w_1`` and ``w_2/(1 - w_1)``, each between 0 and 1.
    """
    first, second = sticks
    weights = (first, (1 - first) * second, (1 - first) * (1 - second))
    pairs = ((0, 1, 1), (1, 2, 1), (0, 2, 4))
    variance = sympy.Add(*(square * weights[i] * weights[j] for i, j, square in pairs))
    rate = sharpness / sympy.sqrt(1 - spread)
    # rate * (distance between steps), which does not depend on the sharpness
    distance = sympy.pi * sympy.sqrt(spread / (3 * variance * (1 - spread)))
    mean = weights[2] - weights[0]
    return sympy.Add(
        *(
            weight * logistic(rate * exponent * u - (place - mean) * distance)
            for place, weight in zip((-1, 0, 1), weights, strict=True)
        )
    )


def _two(law: AbstractLaw) -> tuple[Resource, Resource]:
    if law.weights is None or len(law.sizes) != 2 or len(law.resources) != 2:
        names = ", ".join(r.name for r in law.resources)
        raise TheoryError(
            f"law '{law.name}' in {names} has no scaling function W(x); a law in two sizes that "
            "obeys the scaling equation is needed."
        )
    return law.sizes[0], law.sizes[1]
