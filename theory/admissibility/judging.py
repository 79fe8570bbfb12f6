"""What several conditions share: exact rules applied to a law, and how a refutation is made."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import sympy

from theory.admissibility import evidence
from theory.admissibility.evidence import Found
from theory.admissibility.sampling import draw_parameters
from theory.admissibility.verdict import Status, Verdict
from theory.declaration.abstract_law import KERNEL, AbstractLaw
from theory.declaration.rules import Shape, Slope, shape, sign_of
from theory.declaration.symbols import Resource
from theory.declaration.terms import Contour, Decomposition, Term

SEED = 7
"""Seed of every search, so that a verdict repeats."""


def rules(law: AbstractLaw) -> Shape | None:
    """What exact rules know of the shape of a law; None where they do not apply."""
    variables = [*(r.symbol for r in law.resources), KERNEL]
    return shape(law.relation, variables, law.parameters)


def falls(law: AbstractLaw, known: Shape) -> bool:
    """Whether a contour falls with the kernel, so that its level set is the law's epigraph.

    ``{Phi <= 1}`` is convex in the logs where Phi is, and the kernel is its lower boundary. What is
    no contour is its own kernel.
    """
    return law.degree == 1 or known.slopes[KERNEL] is Slope.FALLING


def terms(law: AbstractLaw) -> tuple[Term, ...] | None:
    """The terms of a sum or contour whose sizes stand as powers only."""
    if not law.has_chart or not isinstance(law.split, Decomposition | Contour):
        return None
    sizes = set(law.sizes)
    return None if any(term.loose & sizes for term in law.split.terms) else law.split.terms


def _order_by_terms(law: AbstractLaw, size: Resource) -> sympy.Expr | None:
    """Exact exponent with which the kernel approaches its limit in one size, the others finite."""
    found = terms(law)
    if found is None:
        return None
    orders = [term.orders[size] for term in found if size in term.orders]
    kept = [term for term in found if size not in term.orders]
    positive = all(sign_of(order, law.parameters) == 1 for order in orders)
    return orders[0] if len(orders) == 1 and kept and positive else None


def approaches(
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
            return refuted(code, detail, witness, str(number), words)
        measured = evidence.approach(law, size, SEED)
        if measured is None:
            return Verdict(code, Status.UNKNOWN, f"{size.name} has no limit to approach.")
        first, second = measured.exponents
        if integers and measured.faster_than_any_power:
            detail = f"{size.name} approaches its limit faster than any power: no power series."
            return refuted(code, detail, measured.witness, "exponential", words)
        asked = [rho for rho in (first, second) if rho < math.inf] if integers else [first]
        for rho in asked:
            if rho == math.inf or not allowed(size, sympy.Rational(round(rho * 10**6), 10**6)):
                detail = (
                    f"{size.name} approaches its limit with the exponent {rho:.6g}, not {words}."
                )
                return refuted(code, detail, measured.witness, f"{rho:.6g}", words)
        proved = False
        parts.append(f"{size.name}: {first:.6g}")
    status = Status.PROVED if proved else Status.SUPPORTED
    return Verdict(code, status, f"exponents of approach {', '.join(parts)}.")


def violation(code: str, found: Found, detail: str, allowed: str) -> Verdict:
    """A refutation by what a search found."""
    return refuted(code, detail, found.witness, str(sympy.N(found.value, 6)), allowed)


def refuted(
    code: str, detail: str, witness: Mapping[str, sympy.Float], found: str, allowed: str
) -> Verdict:
    """A refutation by a witness: what was found there, and what the condition allows."""
    return Verdict(code, Status.REFUTED, detail, {**witness, "found": found, "allowed": allowed})
