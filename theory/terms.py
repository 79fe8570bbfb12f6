"""Read a closed-form law as floor + (sum of monomials)^outer, one amplitude to a monomial.

Power laws, Chinchilla, Kaplan, the CES share law, and every posynomial law have this shape. From
it follow, without a further declaration, the pivot coordinates (`theory.chart`) and the
closed-form compute-optimal allocation (`theory.optimum`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy

from theory.errors import LawError
from theory.symbols import Parameter, Resource, Role


@dataclass(frozen=True)
class Term:
    """One monomial ``amplitude^power * rest`` of a law.

    Parameters
    ----------
    label
        Names of the resources in the term, e.g. ``"N"``.
    amplitude
        The one amplitude parameter in it.
    power
        Its exponent.
    rest
        The term without its amplitude.
    orders
        For each resource in the term the rate ``rho`` at which it falls: ``term ~ R^-rho``.
    """

    label: str
    amplitude: Parameter
    power: sympy.Expr
    rest: sympy.Expr
    orders: Mapping[Resource, sympy.Expr]


@dataclass(frozen=True)
class Decomposition:
    """``L = floor + (terms[0] + terms[1] + ...)^outer``."""

    terms: tuple[Term, ...]
    outer: sympy.Expr


def decompose(
    formula: sympy.Expr,
    *,
    floor: Parameter | None,
    resources: Sequence[Resource],
    parameters: Sequence[Parameter],
) -> Decomposition:
    """Decompose ``formula`` into monomials.

    Raises
    ------
    LawError
        If the reducible part is not a power of a sum of monomials that carry one amplitude each.
    """
    reducible = formula - floor.symbol if floor is not None else formula
    outer: sympy.Expr = sympy.Integer(1)
    if isinstance(reducible, sympy.Pow) and isinstance(reducible.base, sympy.Add):
        reducible, outer = reducible.base, reducible.exp
    amplitudes: dict[sympy.Expr, Parameter] = {
        p.symbol: p for p in parameters if p.role is Role.AMPLITUDE
    }
    by_symbol: dict[sympy.Expr, Resource] = {r.symbol: r for r in resources}
    terms = [_term(part, amplitudes, by_symbol) for part in sympy.Add.make_args(reducible)]
    if missing := set(amplitudes.values()) - {term.amplitude for term in terms}:
        names = ", ".join(sorted(p.name for p in missing))
        raise LawError(f"amplitude {names} is declared but stands in no term of '{formula}'.")
    order = {resource: position for position, resource in enumerate(resources)}
    terms.sort(key=lambda term: [order[resource] for resource in term.orders])
    return Decomposition(tuple(terms), outer)


def _term(
    expr: sympy.Expr,
    amplitudes: Mapping[sympy.Expr, Parameter],
    resources: Mapping[sympy.Expr, Resource],
) -> Term:
    powers = _powers(expr)
    here = [symbol for symbol in powers if symbol in amplitudes]
    if len(here) != 1:
        raise LawError(
            f"the term '{expr}' has {len(here)} amplitudes, but pivot coordinates need exactly "
            "one in each term; declare the other factors with role SHAPE or EXPONENT."
        )
    orders = {resource: -powers[s] for s, resource in resources.items() if s in powers}
    amplitude = here[0]
    rest = sympy.Mul(*[base**power for base, power in powers.items() if base != amplitude])
    label = "".join(resource.name for resource in orders)
    return Term(label, amplitudes[amplitude], powers[amplitude], rest, orders)


def _powers(expr: sympy.Expr) -> dict[sympy.Expr, sympy.Expr]:
    """Exponent of each factor of a monomial, nested powers multiplied out."""
    found: dict[sympy.Expr, sympy.Expr] = {}
    for factor in sympy.Mul.make_args(expr):
        base, power = factor.as_base_exp()
        inner = _powers(base) if isinstance(base, sympy.Mul | sympy.Pow) else {base: 1}
        for symbol, exponent in inner.items():
            found[symbol] = found.get(symbol, sympy.Integer(0)) + exponent * power
    return found
