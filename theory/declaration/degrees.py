"""Homogeneity as dimensional analysis: the degree of an expression under a scaling of its symbols.

Under ``s -> lambda^{d_s} s`` a product has the sum of its factors' degrees, a power its exponent
times the degree of its base, and a sum a degree only where its terms share one. Walking the tree
so gives the degree of the whole and the conditions under which it has one, all of them rational
in the exponents: no derivative, no `simplify`, nothing that can hang. By Euler's theorem a
function has degree c exactly where it solves the scaling equation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy

Degrees = Mapping[sympy.Symbol, sympy.Expr]


@dataclass(frozen=True)
class Homogeneity:
    """Degree of an expression, and what must vanish for it to have one.

    Parameters
    ----------
    degree
        Its degree.
    conditions
        Expressions that are 0 exactly where every sum has terms of one degree and every exponent
        and every argument of a transcendental function has degree 0.
    """

    degree: sympy.Expr
    conditions: tuple[sympy.Expr, ...]

    def holds(self, degree: sympy.Expr | int) -> bool:
        """Whether the expression is homogeneous of `degree`, decided exactly."""
        return all(vanishes(part) for part in (*self.conditions, self.degree - degree))


def homogeneity(expr: Any, degrees: Degrees) -> Homogeneity:
    """Degree of `expr` where each symbol has its degree in `degrees`, and any other symbol 0."""
    conditions: list[sympy.Expr] = []
    degree = _degree(expr, degrees, conditions)
    return Homogeneity(degree, tuple(c for c in conditions if c != 0))


def _degree(expr: Any, degrees: Degrees, conditions: list[sympy.Expr]) -> sympy.Expr:
    if not expr.free_symbols & set(degrees):
        return sympy.Integer(0)
    if isinstance(expr, sympy.Symbol):
        return degrees[expr]
    parts = [_degree(part, degrees, conditions) for part in expr.args]
    if isinstance(expr, sympy.Mul):
        return sympy.Add(*parts)
    if isinstance(expr, sympy.Pow):
        conditions.append(parts[1])
        return expr.exp * parts[0]
    if isinstance(expr, sympy.Add | sympy.Max | sympy.Min):
        conditions.extend(part - parts[0] for part in parts[1:])
        return parts[0]
    conditions.extend(parts)  # exp, log, an undefined W: invariant arguments only
    return sympy.Integer(0)


def vanishes(expr: sympy.Expr) -> bool:
    """Whether a rational expression in exponents is identically 0."""
    return expr == 0 or sympy.cancel(sympy.together(expr)) == 0


@dataclass(frozen=True)
class DegreeSolution:
    """Degrees that make an expression homogeneous.

    Parameters
    ----------
    degrees
        Degree of each unknown.
    free
        Unknowns that the expression leaves undetermined (it has a further symmetry); they are
        set to 0 in `degrees`.
    """

    degrees: Mapping[sympy.Symbol, sympy.Expr]
    free: tuple[sympy.Symbol, ...]


def solve_degrees(
    expr: sympy.Expr, unknown: Sequence[sympy.Symbol], degree: int, fixed: Degrees
) -> DegreeSolution | None:
    """Degrees of `unknown` symbols that make `expr` homogeneous of `degree`, or None.

    Parameters
    ----------
    expr
        Any expression that `homogeneity` can walk.
    unknown
        Symbols whose degrees are wanted.
    degree
        Degree of the whole.
    fixed
        Degrees of other symbols.
    """
    dummies = {symbol: sympy.Dummy(f"d_{symbol.name}") for symbol in unknown}
    found = homogeneity(expr, {**fixed, **dummies})
    equations = [*found.conditions, found.degree - degree]
    solutions = sympy.linsolve(equations, *dummies.values())
    if not solutions:
        return None
    solution: Any
    (solution,) = solutions
    open_ = sympy.Tuple(*solution).free_symbols
    free = [symbol for symbol, dummy in dummies.items() if dummy in open_]
    at = {dummies[symbol]: sympy.Integer(0) for symbol in free}
    solved = {s: sympy.cancel(d.subs(at)) for s, d in zip(unknown, solution, strict=True)}
    return DegreeSolution(solved, tuple(free))
