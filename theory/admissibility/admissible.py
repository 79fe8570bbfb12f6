"""Which loss forms are admissible: the conditions A0 to A8, each with its verdict.

A condition is PROVED by exact rules for all parameters, or by how the law was made; REFUTED by a
witness evaluated with 50 digits; SUPPORTED where a search found no violation; UNKNOWN otherwise.
To add a condition, write a function ``law -> Verdict`` and enter it in `CONDITIONS`.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from theory.admissibility import evidence
from theory.admissibility.evidence import Found
from theory.admissibility.precision import Precise
from theory.admissibility.sampling import draw_parameters
from theory.admissibility.scaling import discover_weights, elasticities, residual, witness_point
from theory.admissibility.verdict import Status, Verdict
from theory.declaration.abstract_law import KERNEL, AbstractLaw
from theory.declaration.degrees import solve_degrees
from theory.declaration.rules import Shape, Slope, shape, sign_of
from theory.declaration.symbols import Resource
from theory.declaration.terms import Contour, Decomposition, Term
from theory.errors import LawError

UNDECIDED = (ArithmeticError, LawError, RecursionError)
"""What a formula outside of all that the rules and searches know may raise."""

SEED = 7
"""Seed of every search, so that a verdict repeats."""


def check(law: AbstractLaw) -> tuple[Verdict, ...]:
    """The verdict on every condition.

    Parameters
    ----------
    law
        Any law.

    Examples
    --------
    >>> from theory import laws
    >>> [str(verdict.status) for verdict in check(laws.chinchilla)][:4]
    ['proved', 'proved', 'proved', 'proved']
    """
    return tuple(condition.test(law) for condition in CONDITIONS.values())


def scaling_equation(law: AbstractLaw) -> Verdict:
    """A0: the kernel obeys the scaling equation, ``sum_i e_i/alpha_i = 1``."""
    if law.weights is None:
        found = discover_weights(law)
        if found.values is None:
            assert found.witness is not None
            gap = f"{float(found.residual):.2g}"
            return _refuted(
                "A0",
                f"no exponents make sum e_i/alpha_i = 1 at all points; the best leave {gap}.",
                found.witness,
                gap,
                "0",
            )
        if found.idle:
            return _idle(law, found.idle[0])
        if found.free:
            names = ", ".join(r.name for r in found.free)
            return Verdict(
                "A0", Status.PROVED, f"homogeneous, and leaves the exponent of {names} open."
            )
        names = ", ".join(f"{r.name}: {a}" for r, a in found.values.items())
        status = Status.PROVED if found.exact else Status.SUPPORTED
        return Verdict("A0", status, f"homogeneous with the exponents {names}.")
    if residual(law) == 0:
        return Verdict("A0", Status.PROVED, "every term has degree 1 under the scaling.")
    if found := evidence.off_scale(law, SEED):
        return _violation(
            "A0", found, f"sum e_i/alpha_i is {float(found.value):.6g} instead of 1.", "1"
        )
    return Verdict("A0", Status.SUPPORTED, "sum e_i/alpha_i = 1 at all points that were tried.")


def _idle(law: AbstractLaw, size: Resource) -> Verdict:
    """A size on which the kernel depends, but not as under any scaling."""
    draw = draw_parameters(law, np.random.default_rng(SEED))
    ops = Precise()
    slope = elasticities(law, draw.parameters, draw.log_pivot, ops)[size.name]
    detail = (
        f"the kernel depends on {size.name}, but obeys the equation only where {size.name} is "
        "held: it enters by a logarithm or the like."
    )
    witness = witness_point(law, draw.parameters, draw.log_pivot, ops)
    return _refuted("A0", detail, witness, f"elasticity {float(slope):.3g}", "a power of it")


def limits(law: AbstractLaw) -> Verdict:
    """A1: with all other sizes infinite, the kernel of each size is positive, finite, not 0."""
    if _limits_by_terms(law):
        return Verdict("A1", Status.PROVED, "each size has a term of its own; the others vanish.")
    if found := evidence.no_limit(law, SEED):
        return _violation(
            "A1",
            found,
            f"with every size but {found.what} infinite the kernel has no positive finite limit: "
            f"from e^{evidence.NEAR_LIMIT[0]:.0f} to e^{evidence.NEAR_LIMIT[1]:.0f} of the others "
            f"it changes by a factor {sympy.N(found.value, 3)!s}.",
            "1",
        )
    return Verdict("A1", Status.SUPPORTED, "the limit of each size is positive, finite, not 0.")


def monotone(law: AbstractLaw) -> Verdict:
    """A2: the kernel does not rise with any size."""
    rules = _rules(law)
    falling = (Slope.FALLING, Slope.FLAT)
    if rules and all(rules.slopes[r.symbol] in falling for r in law.sizes) and _falls(law, rules):
        return Verdict("A2", Status.PROVED, "every term falls with the sizes in it.")
    if found := evidence.rising(law, SEED):
        return _violation(
            "A2",
            found,
            f"the kernel rises with {found.what}: d ln kernel/d ln {found.what} = "
            f"{float(found.value):.3g}.",
            "at most 0",
        )
    return Verdict("A2", Status.SUPPORTED, "the kernel falls at all points that were tried.")


def convex(law: AbstractLaw) -> Verdict:
    """A3: the log of the kernel is convex in the logs of the sizes."""
    rules = _rules(law)
    if rules and rules.is_convex and _falls(law, rules):
        return Verdict("A3", Status.PROVED, "log-log convex by the rules of geometric programming.")
    if found := evidence.concave(law, SEED):
        return _violation(
            "A3",
            found,
            f"the second difference of ln kernel is {float(found.value):.3g} along {found.what}.",
            "at least 0",
        )
    return Verdict("A3", Status.SUPPORTED, "log-log convex at all points that were tried.")


def variance_limited(law: AbstractLaw) -> Verdict:
    """A4: each size approaches its limit as 1/R (model size also as 1/sqrt(N))."""
    return _approaches(
        law,
        "A4",
        law.sizes,
        lambda r, rho: rho == 1 or (r.unit == "parameters" and rho == sympy.Rational(1, 2)),
        "1 (or 1/2 for a model size)",
        integers=False,
    )


def analytic(law: AbstractLaw) -> Verdict:
    """A5: the loss is analytic in 1/D (in each inverse size but a model size) at 0."""
    chosen = tuple(r for r in law.sizes if r.unit != "parameters")
    return _approaches(
        law,
        "A5",
        chosen,
        lambda r, rho: bool(rho.is_integer and rho.is_positive),
        "a positive integer",
        integers=True,
    )


def bounded(law: AbstractLaw) -> Verdict:
    """A6: the loss stays below that of no training as the sizes vanish."""
    if law.scale.cap is not None:
        return Verdict("A6", Status.PROVED, f"the link bounds the loss by {law.scale.cap.name}.")
    found = evidence.unbounded(law, SEED)
    if found and found.value is sympy.nan:
        return Verdict("A6", Status.UNKNOWN, "the loss is not defined at vanishing sizes.")
    if found:
        return _violation(
            "A6",
            found,
            f"with sizes e^-800 times those of the fit the loss is {sympy.N(found.value, 3)!s} and "
            "grows further.",
            "at most ln V",
        )
    return Verdict("A6", Status.SUPPORTED, "the loss stops growing as the sizes vanish.")


def unit_covariant(law: AbstractLaw) -> Verdict:
    """A7: a change of unit of the sizes is a change of parameters."""
    units = dict.fromkeys(r.unit for r in law.sizes)
    parameters = [p.symbol for p in law.parameters if p not in law.scale.parameters]
    proved = True
    for unit in units:
        fixed: dict[sympy.Symbol, sympy.Expr] = {
            r.symbol: sympy.Integer(1) for r in law.sizes if r.unit == unit
        }
        resources = {r.symbol for r in law.resources}
        solved = solve_degrees(law.relation, parameters, 0, fixed)
        if solved and not any(d.free_symbols & resources for d in solved.degrees.values()):
            continue
        proved = False
        if found := evidence.not_absorbed(law, unit, SEED):
            return _violation(
                "A7",
                found,
                f"another unit of {found.what} is no change of parameters: what they cannot "
                f"absorb is {float(found.value):.2g} of d ln kernel/d ln size.",
                "0",
            )
    if proved:
        return Verdict("A7", Status.PROVED, "amplitudes absorb every change of unit.")
    return Verdict("A7", Status.SUPPORTED, "parameters absorb a change of unit where tried.")


def defined(law: AbstractLaw) -> Verdict:
    """A8: the kernel is a positive finite number wherever the law is meant."""
    meant = " and ".join(map(str, law.domain)) or "all positive sizes"
    rules = _rules(law)
    if rules and _falls(law, rules):
        return Verdict("A8", Status.PROVED, f"a sum of positive terms for {meant}.")
    if found := evidence.undefined(law, SEED):
        return _violation("A8", found, "the kernel is not a positive finite number.", "positive")
    return Verdict("A8", Status.SUPPORTED, f"positive and finite where tried, of {meant}.")


@dataclass(frozen=True)
class Condition:
    """One condition of admissibility.

    Parameters
    ----------
    code
        ``A0`` to ``A8``.
    title
        A few words for tables.
    decide
        The function that decides it.
    """

    code: str
    title: str
    decide: Callable[[AbstractLaw], Verdict]

    def test(self, law: AbstractLaw) -> Verdict:
        """The verdict: by construction where the law says so, otherwise decided."""
        if self.code in law.by_construction:
            return Verdict(self.code, Status.PROVED, law.by_construction[self.code])
        try:
            return self.decide(law)
        except UNDECIDED as error:
            return Verdict(self.code, Status.UNKNOWN, f"not computed: {str(error).rstrip('.')}.")


CONDITIONS: dict[str, Condition] = {
    condition.code: condition
    for condition in (
        Condition("A0", "scaling equation", scaling_equation),
        Condition("A1", "single-resource limits", limits),
        Condition("A2", "monotone", monotone),
        Condition("A3", "log-log convex", convex),
        Condition("A4", "variance-limited", variance_limited),
        Condition("A5", "analytic in 1/D", analytic),
        Condition("A6", "bounded", bounded),
        Condition("A7", "unit-covariant", unit_covariant),
        Condition("A8", "defined", defined),
    )
}
"""Every condition, by code."""


def _rules(law: AbstractLaw) -> Shape | None:
    variables = [*(r.symbol for r in law.resources), KERNEL]
    return shape(law.relation, variables, law.parameters)


def _falls(law: AbstractLaw, rules: Shape) -> bool:
    """For a contour: that it falls with the kernel, so that its level set is the law's epigraph.

    ``{Phi <= 1}`` is convex in the logs where Phi is, and the kernel is its lower boundary.
    """
    return law.degree == 1 or rules.slopes[KERNEL] is Slope.FALLING


def _terms(law: AbstractLaw) -> tuple[Term, ...] | None:
    """The terms of a sum or contour whose sizes stand as powers only."""
    if not law.has_chart or not isinstance(law.split, Decomposition | Contour):
        return None
    sizes = set(law.sizes)
    return None if any(term.loose & sizes for term in law.split.terms) else law.split.terms


def _limits_by_terms(law: AbstractLaw) -> bool:
    terms = _terms(law)
    if terms is None:
        return False
    for size in law.sizes:
        alone = False
        for term in terms:
            others = [term.orders[r] for r in law.sizes if r != size and r in term.orders]
            if any(sign_of(order, law.parameters) != 1 for order in others):
                return False
            alone |= not others and size in term.orders
        if not alone:
            return False
    return True


def _order_by_terms(law: AbstractLaw, size: Resource) -> sympy.Expr | None:
    """Exact exponent with which the kernel approaches its limit in one size, the others finite."""
    terms = _terms(law)
    if terms is None:
        return None
    orders = [term.orders[size] for term in terms if size in term.orders]
    kept = [term for term in terms if size not in term.orders]
    positive = all(sign_of(order, law.parameters) == 1 for order in orders)
    return orders[0] if len(orders) == 1 and kept and positive else None


def _approaches(
    law: AbstractLaw,
    code: str,
    sizes: tuple[Resource, ...],
    allowed: Callable[[Resource, sympy.Expr], bool],
    words: str,
    *,
    integers: bool,
) -> Verdict:
    """Decide a condition on the exponents with which sizes approach their limits."""
    if len(law.sizes) < 2 or not sizes:
        return Verdict(code, Status.UNKNOWN, "asks for a second size that stays finite.")
    parts, proved = [], True
    for size in sizes:
        exact = _order_by_terms(law, size)
        if exact is not None and allowed(size, exact):
            parts.append(f"{size.name}: {exact}")
            continue
        if exact is not None and exact.free_symbols:
            draw = draw_parameters(law, np.random.default_rng(SEED))
            natural: Any = {
                p.symbol: float(law.values(draw.parameters)[p.name]) for p in law.parameters
            }
            number = sympy.Float(exact.subs(natural), 15)
            witness = {str(s): sympy.Float(natural[s], 15) for s in exact.free_symbols}
            detail = (
                f"{size.name} approaches its limit with the exponent {exact}, in general not "
                f"{words}."
            )
            return _refuted(code, detail, witness, str(number), words)
        measured = evidence.approach(law, size, SEED)
        if measured is None:
            return Verdict(code, Status.UNKNOWN, f"{size.name} has no limit to approach.")
        first, second = measured.exponents
        if integers and measured.faster_than_any_power:
            detail = f"{size.name} approaches its limit faster than any power: no power series."
            return _refuted(code, detail, measured.witness, "exponential", words)
        asked = [rho for rho in (first, second) if rho < math.inf] if integers else [first]
        for rho in asked:
            if rho == math.inf or not allowed(size, sympy.Rational(round(rho * 10**6), 10**6)):
                detail = (
                    f"{size.name} approaches its limit with the exponent {rho:.6g}, not {words}."
                )
                return _refuted(code, detail, measured.witness, f"{rho:.6g}", words)
        proved = False
        parts.append(f"{size.name}: {first:.6g}")
    status = Status.PROVED if proved else Status.SUPPORTED
    return Verdict(code, status, f"exponents of approach {', '.join(parts)}.")


def _violation(code: str, found: Found, detail: str, allowed: str) -> Verdict:
    return _refuted(code, detail, found.witness, str(sympy.N(found.value, 6)), allowed)


def _refuted(
    code: str, detail: str, witness: Mapping[str, sympy.Float], found: str, allowed: str
) -> Verdict:
    return Verdict(code, Status.REFUTED, detail, {**witness, "found": found, "allowed": allowed})
