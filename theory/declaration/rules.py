"""Signs and log-log curvature by the rules of disciplined geometric programming.

In the logarithms of positive variables a monomial is affine; sums, products, maxima and positive
powers of convex functions are convex; a negative power turns convex into concave and rising into
falling (Agrawal, Diamond and Boyd 2019, arXiv:1812.04074). Walking an expression by these rules
proves monotonicity and convexity for all values of the parameters at once, or says nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import sympy

from theory.declaration.symbols import Domain, Parameter


class Slope(Enum):
    """Direction in one variable."""

    FLAT = 0
    FALLING = -1
    RISING = 1
    UNKNOWN = None


class Curvature(Enum):
    """Curvature in the logarithms of all variables."""

    AFFINE = "affine"
    CONVEX = "convex"
    CONCAVE = "concave"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Shape:
    """What the rules say of the logarithm of a positive expression.

    Parameters
    ----------
    curvature
        In the logarithms of all variables.
    slopes
        In each variable.
    """

    curvature: Curvature
    slopes: Mapping[sympy.Symbol, Slope]

    @property
    def is_convex(self) -> bool:
        """Whether it is proved convex."""
        return self.curvature in (Curvature.AFFINE, Curvature.CONVEX)


def sign_of(expr: sympy.Expr, parameters: Sequence[Parameter]) -> int | None:
    """Sign of an expression in parameters for all their values, or None.

    A parameter between 0 and 1 is written ``1/(1 + s)`` with a positive s, so that ``1 - p`` is
    seen to be positive.
    """
    unit = {
        p.symbol: 1 / (1 + sympy.Dummy(p.name, positive=True))
        for p in parameters
        if p.domain is Domain.UNIT
    }
    known: Any = sympy.together(expr.xreplace(unit)) if unit else expr
    if unit and known.is_positive is None:
        numerator, denominator = known.as_numer_denom()
        known = sympy.expand(numerator) / denominator
    if known.is_zero:
        return 0
    if known.is_positive:
        return 1
    return -1 if known.is_negative else None


def shape(
    expr: sympy.Expr, variables: Sequence[sympy.Symbol], parameters: Sequence[Parameter]
) -> Shape | None:
    """Shape of ``log expr`` in the logs of `variables`, or None where it may not be positive."""
    return _Walk(tuple(variables), tuple(parameters)).shape(expr)


@dataclass(frozen=True)
class _Walk:
    variables: tuple[sympy.Symbol, ...]
    parameters: tuple[Parameter, ...]

    def shape(self, expr: Any) -> Shape | None:
        if not expr.free_symbols & set(self.variables):
            flat = Shape(Curvature.AFFINE, dict.fromkeys(self.variables, Slope.FLAT))
            return flat if sign_of(expr, self.parameters) == 1 else None
        if isinstance(expr, sympy.Symbol):
            slopes = {v: Slope.RISING if v == expr else Slope.FLAT for v in self.variables}
            return Shape(Curvature.AFFINE, slopes)
        if isinstance(expr, sympy.exp):
            return self._exponential(expr.args[0])
        if isinstance(expr, sympy.Pow):
            return self._power(expr)
        rule = next((r for kind, r in _COMBINE.items() if isinstance(expr, kind)), None)
        parts = [self.shape(part) for part in expr.args]
        if rule is None or any(part is None for part in parts):
            return None
        known = [part for part in parts if part is not None]
        slopes = {v: _join([part.slopes[v] for part in known]) for v in self.variables}
        return Shape(rule([part.curvature for part in known]), slopes)

    def _power(self, expr: sympy.Pow) -> Shape | None:
        base = self.shape(expr.base)
        if base is None:
            return None
        if expr.exp.free_symbols & set(self.variables):
            return Shape(Curvature.UNKNOWN, dict.fromkeys(self.variables, Slope.UNKNOWN))
        return _scaled(base, sign_of(expr.exp, self.parameters))

    def _exponential(self, argument: Any) -> Shape:
        """``log exp(a) = a``: as convex and monotone as a, whose signed monomials are looked at."""
        curvatures, slopes = [], {v: [] for v in self.variables}
        for term in sympy.Add.make_args(argument):
            negative = term.as_coeff_Mul()[0].is_negative
            inner = self.shape(-term if negative else term)
            if inner is None:
                if term.free_symbols & set(self.variables):
                    return Shape(Curvature.UNKNOWN, dict.fromkeys(self.variables, Slope.UNKNOWN))
                continue  # a constant of any sign
            bent = Curvature.CONVEX if inner.is_convex else Curvature.UNKNOWN
            if all(slope is Slope.FLAT for slope in inner.slopes.values()):
                bent = Curvature.AFFINE
            part = _scaled(Shape(bent, inner.slopes), -1 if negative else 1)
            curvatures.append(part.curvature)
            for v in self.variables:
                slopes[v].append(part.slopes[v])
        return Shape(_product(curvatures), {v: _join(slopes[v]) for v in self.variables})


def _scaled(base: Shape, sign: int | None) -> Shape:
    if sign == 1:
        return base
    if sign == 0:
        return Shape(Curvature.AFFINE, dict.fromkeys(base.slopes, Slope.FLAT))
    turned = {Curvature.CONVEX: Curvature.CONCAVE, Curvature.CONCAVE: Curvature.CONVEX}
    if sign == -1:
        slopes = {
            v: Slope(-s.value if s.value is not None else None) for v, s in base.slopes.items()
        }
        return Shape(turned.get(base.curvature, base.curvature), slopes)
    unknown = {v: s if s is Slope.FLAT else Slope.UNKNOWN for v, s in base.slopes.items()}
    bent = base.curvature if base.curvature is Curvature.AFFINE else Curvature.UNKNOWN
    return Shape(bent, unknown)


def _join(slopes: Sequence[Slope]) -> Slope:
    moving = {slope for slope in slopes if slope is not Slope.FLAT}
    if not moving:
        return Slope.FLAT
    return moving.pop() if len(moving) == 1 else Slope.UNKNOWN


def _product(parts: Sequence[Curvature]) -> Curvature:
    bent = {part for part in parts if part is not Curvature.AFFINE}
    if not bent:
        return Curvature.AFFINE
    return bent.pop() if len(bent) == 1 else Curvature.UNKNOWN


def _convex_if_all(parts: Sequence[Curvature]) -> Curvature:
    convex = all(part in (Curvature.AFFINE, Curvature.CONVEX) for part in parts)
    return Curvature.CONVEX if convex else Curvature.UNKNOWN


def _concave_if_all(parts: Sequence[Curvature]) -> Curvature:
    concave = all(part in (Curvature.AFFINE, Curvature.CONCAVE) for part in parts)
    return Curvature.CONCAVE if concave else Curvature.UNKNOWN


_COMBINE = {
    sympy.Add: _convex_if_all,
    sympy.Mul: _product,
    sympy.Max: _convex_if_all,
    sympy.Min: _concave_if_all,
}
