r"""The scaling equation, and what it says of a law.

The renormalization-group statement ``lambda^c L(n, d) = L(lambda^a n, lambda^b d)`` in inverse
sizes ``n = N_c/N``, differentiated at ``lambda = 1``, is

    (c - sum_i a_i r_i d/dr_i) L = 0,

for sizes ``R_i = kappa_i/r_i`` with the opposite sign, ``(c + sum_i a_i R_i d/dR_i) L = 0``. Only
ratios matter, so c = 1 and ``a_i = 1/alpha_i`` with the resolution-limited exponents alpha_i; the
equation then says that the elasticities ``e_i = -d ln L/d ln R_i`` obey ``sum_i e_i/alpha_i = 1``
at every point. It acts on the kernel of a law's link: for most laws on the reducible loss L - E.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import sympy

from theory.admissibility.precision import Precise
from theory.admissibility.sampling import draw_log_resources, draw_parameters
from theory.declaration.abstract_law import KERNEL, AbstractLaw
from theory.declaration.degrees import homogeneity, solve_degrees
from theory.declaration.namespace import Environment
from theory.declaration.symbols import Resource
from theory.declaration.timebox import within
from theory.errors import TheoryError

BUDGET = 10.0
"""Seconds that simplifying a residual may take."""

REACH = 12.0
"""E-folds around the pivot in which elasticities are compared."""

ROUNDING = 1e-9
"""What least squares in double precision leaves of exact elasticities."""

SEED = 20
"""Seed of the points at which weights are looked for."""


@dataclass(frozen=True)
class ScalingEquation:
    """``(c - sum_i a_i r_i d/dr_i) f = 0`` for any number of resources.

    Parameters
    ----------
    weights
        ``a_i`` of each symbol.
    degree
        ``c``.
    inverse
        Whether the symbols are inverse sizes r (as in ``n = N_c/N``) or sizes R, for which the
        operator is ``c + sum_i a_i R_i d/dR_i``.

    Examples
    --------
    >>> n, d, a, b, c = sympy.symbols("n d a b c", positive=True)
    >>> equation = ScalingEquation({n: a, d: b}, c)
    >>> equation.residual(n ** (c / a) * (d / n ** (b / a)) ** 2)
    0
    """

    weights: Mapping[sympy.Symbol, sympy.Expr]
    degree: sympy.Expr
    inverse: bool = True

    def apply(self, expr: sympy.Expr) -> sympy.Expr:
        """``(c - theta) expr``, as it comes."""
        sign = -1 if self.inverse else 1
        moved = sympy.Add(*(a * s * sympy.diff(expr, s) for s, a in self.weights.items()))
        return self.degree * expr + sign * moved

    def residual(self, expr: sympy.Expr) -> sympy.Expr:
        """``(c - theta) expr``, exactly 0 where `expr` is a solution, otherwise simplified.

        That it is a solution is decided by its degree (Euler's theorem,
        `theory.declaration.degrees`), and by simplification within a time budget.
        """
        sign = 1 if self.inverse else -1
        scaled = {s: sign * sympy.sympify(a, strict=True) for s, a in self.weights.items()}
        if homogeneity(expr, scaled).holds(self.degree):
            return sympy.Integer(0)
        left = self.apply(expr).doit()
        return _simplest(left)

    def general_solution(self, degrees: Sequence[sympy.Expr] | None = None) -> sympy.Expr:
        """Every C^1 solution on the open orthant, by characteristics.

        The first symbol with a non-zero weight carries the degree; the others enter through the
        first integrals ``x_i = s_i / s_1^(a_i/a_1)``, in an arbitrary function W.

        Parameters
        ----------
        degrees
            For the multi-scale equation ``prod_j (c_j - theta) f = 0`` its degrees ``c_j``: one
            function a degree, and a power of a logarithm where a degree repeats.

        Returns
        -------
        sympy.Expr
            ``sum_j s_1^(c_j/a_1) ln(s_1)^m W_j(x_2, ..., x_k)``.

        Raises
        ------
        TheoryError
            If every weight is 0.
        """
        moving = [s for s, a in self.weights.items() if a != 0]
        if not moving:
            raise TheoryError("every weight is 0, so the equation scales nothing; give one weight.")
        first = moving[0]
        a = self.weights[first]
        integrals = [s / first ** (b / a) for s, b in self.weights.items() if s != first]
        powers = [self.degree] if degrees is None else list(degrees)
        sign = 1 if self.inverse else -1
        parts = []
        for j, c in enumerate(powers):
            function = sympy.Function("W" if degrees is None else f"W_{j + 1}")
            repeated = sum(bool(sympy.simplify(c - before) == 0) for before in powers[:j])
            shape = function(*integrals) if integrals else sympy.Symbol(f"W_{j + 1}")
            parts.append(first ** (sign * c / a) * sympy.log(first) ** repeated * shape)
        return sympy.Add(*parts)

    def pde_solution(self, first: sympy.Symbol) -> tuple[sympy.Expr, Any]:
        """The general solution by SymPy's `pdsolve`, written in powers of `first`.

        For two symbols only. Returns the solution and the undefined function in it.
        """
        if len(self.weights) != 2 or first not in self.weights:
            raise TheoryError(
                f"pdsolve is asked for two symbols, one of them {first}; the equation has "
                f"{', '.join(map(str, self.weights))}; use general_solution."
            )
        (second,) = [s for s in self.weights if s != first]
        unknown = sympy.Function("L")(first, second)
        sign = -1 if self.inverse else 1
        a, b = self.weights[first], self.weights[second]
        equation = sympy.Eq(
            self.degree * unknown
            + sign * (a * first * unknown.diff(first) + b * second * unknown.diff(second)),
            0,
        )
        solved: Any = sympy.pdsolve(equation, unknown)
        (function,) = solved.rhs.atoms(sympy.core.function.AppliedUndef)
        return solved.rhs, function.func


def _simplest(expr: sympy.Expr) -> sympy.Expr:
    simple = within(BUDGET, sympy.simplify, expr)
    return expr if simple is None else simple


def size_degrees(
    law: AbstractLaw, weights: Mapping[Resource, sympy.Expr]
) -> dict[sympy.Symbol, sympy.Expr]:
    """Degree of each resource under the scaling that multiplies the kernel by lambda.

    ``R_i -> lambda^(-1/alpha_i) R_i``; 0 for a weight that is infinite (a covariate).
    """
    found = {r.symbol: -1 / sympy.sympify(a, strict=True) for r, a in weights.items()}
    return found if law.degree else {**found, KERNEL: sympy.Integer(1)}


def obeys(law: AbstractLaw, weights: Mapping[Resource, sympy.Expr]) -> bool:
    """Whether a law has degree 1 under its scaling, decided exactly (`declaration.degrees`)."""
    return homogeneity(law.relation, size_degrees(law, weights)).holds(law.degree)


def residual(law: AbstractLaw, weights: Mapping[Resource, sympy.Expr] | None = None) -> sympy.Expr:
    """``(1 - theta)`` applied to the kernel of a law; exactly 0 where it obeys the equation.

    For a contour ``Phi(R, ell) = 1`` the operator acts on Phi with the kernel as a coordinate.

    Parameters
    ----------
    law
        Any law with a formula.
    weights
        Exponents to test; the law's own by default.

    Raises
    ------
    TheoryError
        If the law declares no weights and none are given.

    Examples
    --------
    >>> from theory import laws
    >>> residual(laws.chinchilla)
    0
    """
    chosen = law.weights if weights is None else weights
    if chosen is None:
        raise TheoryError(
            f"law '{law.name}' declares no weights; pass weights=, or ask discover_weights."
        )
    if obeys(law, chosen):
        return sympy.Integer(0)
    degrees = size_degrees(law, chosen)
    moved = sympy.Add(*(d * s * sympy.diff(law.relation, s) for s, d in degrees.items()))
    return _simplest(law.degree * law.relation - moved)


@dataclass(frozen=True)
class Weights:
    """Resolution-limited exponents that make a law obey the scaling equation.

    Parameters
    ----------
    values
        Exponent of each resource, infinite for one that does not scale; None where there are none.
    exact
        Whether they were solved for symbolically.
    free
        Resources whose exponents the law leaves open (a further symmetry, as in a product law).
    residual
        Largest ``|sum_i e_i/alpha_i - 1|`` at random points for the best exponents.
    witness
        Where it is largest: resources and parameters in the user's units.
    """

    values: Mapping[Resource, sympy.Expr] | None
    exact: bool
    free: tuple[Resource, ...] = ()
    residual: sympy.Expr = sympy.S.Zero
    witness: Mapping[str, sympy.Float] | None = None

    @property
    def idle(self) -> tuple[Resource, ...]:
        """Sizes that would have to stand still under the scaling, as in ``log(N)/D``."""
        still = [r for r, a in (self.values or {}).items() if a is sympy.oo]
        return tuple(r for r in still if not r.is_covariate and r not in self.free)


def discover_weights(law: AbstractLaw, *, seed: int = SEED) -> Weights:
    """Find the exponents of a law that does not declare them.

    First symbolically: the degrees of the resources solve a linear system. Where it has no
    solution, the elasticities at random points in 50-digit arithmetic are fitted by
    ``sum_i e_i a_i = 1``; what is left is returned with the point where it is largest.

    Parameters
    ----------
    law
        Any law.
    seed
        Seed of the points.
    """
    exact = exact_weights(law)
    return exact if exact is not None else _fit_weights(law, np.random.default_rng(seed))


def exact_weights(law: AbstractLaw) -> Weights | None:
    """Exponents from the linear system of degrees, or None where it has no solution."""
    symbols = {r.symbol: r for r in law.resources}
    fixed = {} if law.degree else {KERNEL: sympy.Integer(1)}
    solved = solve_degrees(law.relation, list(symbols), law.degree, fixed)
    sizes = {r.symbol for r in law.sizes}
    if solved is None or any(d.free_symbols & sizes for d in solved.degrees.values()):
        return None
    values = {symbols[s]: -1 / d if d != 0 else sympy.oo for s, d in solved.degrees.items()}
    return Weights(values, True, tuple(symbols[s] for s in solved.free))


def _fit_weights(law: AbstractLaw, rng: np.random.Generator) -> Weights:
    ops = Precise()
    draw = draw_parameters(law, rng)
    count = len(law.resources) + 4
    at = draw_log_resources(law, draw, rng, reach=REACH, count=count)
    points = [{name: float(column[j]) for name, column in at.items()} for j in range(count)]
    rows = [elasticities(law, draw.parameters, point, ops) for point in points]
    matrix = np.array([[_real(row[r.name]) for r in law.resources] for row in rows])
    if not np.all(np.isfinite(matrix)):
        worst, gap = int(np.argmax(~np.isfinite(matrix).all(axis=1))), float("nan")
    else:
        inverse = np.linalg.lstsq(matrix, np.ones(count))[0]
        gaps = np.abs(matrix @ inverse - 1)
        worst, gap = int(np.argmax(gaps)), float(np.max(gaps))
        if gap < ROUNDING:
            values = {
                r: sympy.Float(1 / a) if abs(a) > ROUNDING else sympy.oo
                for r, a in zip(law.resources, inverse.tolist(), strict=True)
            }
            return Weights(values, False, residual=sympy.Float(gap))
    witness = witness_point(law, draw.parameters, points[worst], ops)
    return Weights(None, False, residual=sympy.Float(gap), witness=witness)


def _real(value: Any) -> float:
    """A real number as a float, and NaN for a complex one."""
    return float(value) if not getattr(value, "imag", 0) else float("nan")


def elasticities(
    law: AbstractLaw, parameters: Environment, log_resources: Environment, ops: Precise
) -> dict[str, Any]:
    """``e_i = -d ln kernel/d ln R_i`` at one point, with as many digits as `ops` has.

    Parameters
    ----------
    law
        Any law.
    parameters
        Logarithm of each positive parameter, value of each other.
    log_resources
        Logarithm of each resource.
    ops
        The arithmetic.
    """
    point = {name: ops.mpf(value) for name, value in log_resources.items()}
    exact = {name: ops.mpf(value) for name, value in parameters.items()}
    return {
        r.name: -ops.slope(
            lambda at, name=r.name: law.log_kernel(exact, {**point, name: at}, ops), point[r.name]
        )
        for r in law.resources
    }


def witness_point(
    law: AbstractLaw, parameters: Environment, log_resources: Environment, ops: Precise
) -> dict[str, sympy.Float]:
    """A point in the user's units, with all digits."""
    positive = {p.name for p in law.parameters if p.domain.is_positive}
    logs = {**log_resources, **parameters}
    return {
        name: ops.to_sympy(
            ops.exp(ops.mpf(v)) if name in positive or name in log_resources else ops.mpf(v)
        )
        for name, v in logs.items()
    }


@dataclass(frozen=True)
class AddedTerm:
    """How a term added to a law stands to its leading operator.

    Parameters
    ----------
    weight
        ``Delta = sum_i p_i/alpha_i`` of a term ``prod_i R_i^-p_i``.
    kind
        ``"irrelevant"`` (Delta > 1: a correction to scaling), ``"marginal"`` (Delta = 1: the same
        operator), ``"relevant"`` (Delta < 1: it takes over at large sizes, so the leading
        exponents are not those assigned), or ``"depends"`` on the parameters.
    """

    weight: sympy.Expr
    kind: Literal["irrelevant", "marginal", "relevant", "depends"]


def rg_weight(term: sympy.Expr, weights: Mapping[Resource, sympy.Expr | float]) -> AddedTerm:
    """RG weight of an added term relative to the leading operator.

    Parameters
    ----------
    term
        A term that scales, such as ``F * N**-p * t**-q``.
    weights
        Resolution-limited exponents of the law to which it is added.

    Raises
    ------
    TheoryError
        If the term does not scale, for any exponents.

    Examples
    --------
    >>> from theory.declaration.symbols import N, D
    >>> rg_weight(N.symbol ** sympy.Rational(-1, 2), {N: sympy.Rational(1, 4), D: 1}).kind
    'irrelevant'
    """
    degrees = {r.symbol: -1 / sympy.sympify(a, strict=True) for r, a in weights.items()}
    found = homogeneity(term, degrees)
    moving = {s for s, d in degrees.items() if d != 0}
    if not found.holds(found.degree) or found.degree.free_symbols & moving:
        raise TheoryError(f"'{term}' does not scale, so it has no RG weight; give one term a call.")
    weight = sympy.cancel(found.degree)
    excess = sympy.cancel(weight - 1)
    if excess.is_zero:
        return AddedTerm(weight, "marginal")
    if excess.is_positive:
        return AddedTerm(weight, "irrelevant")
    return AddedTerm(weight, "relevant" if excess.is_negative else "depends")
