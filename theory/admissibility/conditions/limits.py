"""A1: with all other sizes infinite, the kernel of each size is positive, finite, not 0."""

import sympy

from theory.admissibility import evidence
from theory.admissibility.condition import Condition
from theory.admissibility.judging import SEED, terms, violation
from theory.admissibility.verdict import Status, Verdict
from theory.declaration.abstract_law import AbstractLaw
from theory.declaration.rules import sign_of

CODE = "A1"


def decide(law: AbstractLaw) -> Verdict:
    """The verdict on a law."""
    if _limits_by_terms(law):
        return Verdict(CODE, Status.PROVED, "each size has a term of its own; the others vanish.")
    if found := evidence.no_limit(law, SEED):
        return violation(
            CODE,
            found,
            f"with every size but {found.what} infinite the kernel has no positive finite limit: "
            f"from e^{evidence.NEAR_LIMIT[0]:.0f} to e^{evidence.NEAR_LIMIT[1]:.0f} of the others "
            f"it changes by a factor {sympy.N(found.value, 3)!s}.",
            "1",
        )
    return Verdict(CODE, Status.SUPPORTED, "the limit of each size is positive, finite, not 0.")


def _limits_by_terms(law: AbstractLaw) -> bool:
    found = terms(law)
    if found is None:
        return False
    for size in law.sizes:
        alone = False
        for term in found:
            others = [term.orders[r] for r in law.sizes if r != size and r in term.orders]
            if any(sign_of(order, law.parameters) != 1 for order in others):
                return False
            alone |= not others and size in term.orders
        if not alone:
            return False
    return True


CONDITION = Condition(CODE, "single-resource limits", decide)
