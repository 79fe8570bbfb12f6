"""From a crossover distribution F(u) to the scaling function ``W = exp(alpha int F)`` it makes.

Every loss in two resources that is homogeneous, log-log convex and has both single-resource
limits is ``l_1 W(x)`` with ``ln W(e^u) = alpha_2 int_{-oo}^u F`` and F a cumulative distribution
function of the position ``u = ln x`` of the crossover (Kaplan: F logistic; Chinchilla: logistic
in ``alpha_2 u``; the larger of the two: a step).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sympy

from theory.declaration.degrees import vanishes
from theory.declaration.logdomain import value
from theory.declaration.rules import sign_of
from theory.declaration.symbols import Parameter
from theory.declaration.timebox import within
from theory.errors import LawError

BUDGET = 10.0
"""Seconds that a symbolic integral may take."""

SPAN = 400.0
"""Where F must have reached 0 and 1, in u on either side."""

PLACE = "place in the crossover"
"""Name of the variable while F is integrated; no parameter is called so."""

TOLERANCE = 1e-9
"""How much a numerical CDF may miss 0 and 1, or fall."""


def logistic(z: sympy.Expr) -> sympy.Expr:
    """``1/(1 + exp(-z))``, the CDF of a smooth step."""
    return 1 / (1 + sympy.exp(-z))


@dataclass(frozen=True)
class Step:
    """``weight * logistic(rate * u - offset)``, one step of a mixture."""

    weight: sympy.Expr
    rate: sympy.Expr
    offset: sympy.Expr

    def generator(self, x: sympy.Expr, exponent: sympy.Expr) -> sympy.Expr:
        """``exp(exponent * int F) = (1 + e^-offset x^rate)^(exponent weight/rate)``."""
        inner = 1 + sympy.exp(-self.offset) * x**self.rate
        return inner ** (exponent * self.weight / self.rate)


def generator_of(
    cdf: sympy.Expr, u: sympy.Symbol, x: sympy.Expr, exponent: sympy.Expr
) -> sympy.Expr:
    """``W(x) = exp(exponent * int_{-oo}^{ln x} F(u) du)``.

    A mixture of logistic steps is integrated by rule, anything else by SymPy within a time budget.

    Parameters
    ----------
    cdf
        ``F(u)``.
    u
        Its variable, real.
    x
        What W is wanted in; positive.
    exponent
        ``alpha_2``, the resolution-limited exponent of the second resource.

    Raises
    ------
    LawError
        If the integral does not converge or is not found.
    """
    steps = mixture(cdf, u)
    if steps is not None:
        return sympy.Mul(*(step.generator(x, exponent) for step in steps))
    variable = sympy.Dummy("v", real=True)

    def integrate(expr: sympy.Expr) -> sympy.Expr:
        symbol = next(s for s in expr.atoms(sympy.Symbol) if s.name == PLACE)
        return sympy.integrate(expr.subs(symbol, variable), (variable, -sympy.oo, symbol))

    found = within(BUDGET, integrate, cdf.subs(u, sympy.Dummy(PLACE, real=True)))
    if found is None or found.has(sympy.Integral, sympy.oo, sympy.nan):
        raise LawError(
            f"the integral of F(u) = {cdf} from minus infinity is not known; give a mixture of "
            "logistic steps, or a CDF whose left tail is integrable."
        )
    (place,) = [s for s in found.atoms(sympy.Symbol) if s.name == PLACE and s is not u]
    return sympy.exp(exponent * found.subs(place, sympy.log(x)))


def mixture(cdf: sympy.Expr, u: sympy.Symbol) -> tuple[Step, ...] | None:
    """F as a sum of logistic steps, or None where it is not one."""
    steps = [_step(part, u) for part in sympy.Add.make_args(sympy.expand(cdf, deep=False))]
    known = tuple(step for step in steps if step is not None)
    return known if len(known) == len(steps) else None


def proves_cdf(cdf: sympy.Expr, u: sympy.Symbol, parameters: Sequence[Parameter]) -> bool:
    """Whether F is a mixture of rising logistic steps, hence a CDF for all parameters."""
    steps = mixture(cdf, u)
    if steps is None:
        return False
    rising = all(
        sign_of(part, parameters) == 1 for step in steps for part in (step.weight, step.rate)
    )
    return rising and vanishes(sympy.Add(*(step.weight for step in steps)) - 1)


def _step(part: sympy.Expr, u: sympy.Symbol) -> Step | None:
    """A term ``w/(1 + exp(-(k u - b)))``, or None where it is not one."""
    free, bound = part.as_independent(u)
    if not (isinstance(bound, sympy.Pow) and bound.exp == -1):
        return None
    one, exponential = bound.base.as_independent(u)
    scale, power = exponential.as_independent(u)
    if not isinstance(power, sympy.exp):
        return None
    rate, rest = -sympy.diff(power.args[0], u), power.args[0].subs(u, 0)
    if rate.has(u):
        return None
    # w/(o + s e^(rest - k u)) = (w/o) logistic(k u - rest - ln(s/o))
    return Step(free / one, rate, rest + sympy.log(scale / one))


def samples(parameters: Sequence[Parameter]) -> list[dict[str, float]]:
    """Sets of parameters as the log-domain walk takes them: 0.6, 1 and 1.6 times the middles."""
    return [
        {
            p.name: math.log(middle) if p.domain.is_positive else middle
            for p in parameters
            for middle in [factor * p.domain.middle]
        }
        for factor in (0.6, 1.0, 1.6)
    ]


def require_cdf(cdf: sympy.Expr, u: sympy.Symbol, parameters: Sequence[Parameter]) -> None:
    """Refuse a function that does not rise from 0 to 1 at sample parameters.

    Parameters
    ----------
    cdf, u
        The function and its variable.
    parameters
        Its parameters, each tried at 0.6, 1 and 1.6 times the middle of its domain.

    Raises
    ------
    LawError
        With the place of the violation.
    """
    at = np.concatenate([[-SPAN], np.linspace(-40.0, 40.0, 801), [SPAN]])
    for env in samples(parameters):
        with np.errstate(over="ignore", under="ignore"):
            values = np.asarray(value(cdf, {**env, u.name: at}, np)) + 0.0 * at
        falls = np.diff(values)
        if not np.all(np.isfinite(values)) or falls.min() < -TOLERANCE:
            worst = float(at[1:][np.argmin(np.nan_to_num(falls, nan=-np.inf))])
            raise LawError(f"F(u) = {cdf} falls near u = {worst:.3g}; a CDF must not.")
        if abs(values[0]) > TOLERANCE or abs(values[-1] - 1) > TOLERANCE:
            raise LawError(
                f"F(u) = {cdf} runs from {values[0]:.3g} to {values[-1]:.3g}; a CDF runs from 0 "
                "to 1."
            )
