"""A7: a change of unit of the sizes is a change of parameters."""

import sympy

from theory.admissibility import evidence
from theory.admissibility.condition import Condition
from theory.admissibility.judging import SEED, violation
from theory.admissibility.verdict import Status, Verdict
from theory.declaration.abstract_law import AbstractLaw
from theory.declaration.degrees import solve_degrees

CODE = "A7"


def decide(law: AbstractLaw) -> Verdict:
    """The verdict on a law."""
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
            return violation(
                CODE,
                found,
                f"another unit of {found.what} is no change of parameters: what they cannot "
                f"absorb is {float(found.value):.2g} of d ln kernel/d ln size.",
                "0",
            )
    if proved:
        return Verdict(CODE, Status.PROVED, "amplitudes absorb every change of unit.")
    return Verdict(CODE, Status.SUPPORTED, "parameters absorb a change of unit where tried.")


CONDITION = Condition(CODE, "unit-covariant", decide)
