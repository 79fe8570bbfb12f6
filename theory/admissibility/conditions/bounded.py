"""A6: the loss stays below that of no training as the sizes vanish."""

import sympy

from theory.admissibility import evidence
from theory.admissibility.condition import Condition
from theory.admissibility.judging import SEED, violation
from theory.admissibility.verdict import Status, Verdict
from theory.declaration.abstract_law import AbstractLaw

CODE = "A6"


def decide(law: AbstractLaw) -> Verdict:
    """The verdict on a law."""
    if law.scale.cap is not None:
        return Verdict(CODE, Status.PROVED, f"the link bounds the loss by {law.scale.cap.name}.")
    found = evidence.unbounded(law, SEED)
    if found and found.value is sympy.nan:
        return Verdict(CODE, Status.UNKNOWN, "the loss is not defined at vanishing sizes.")
    if found:
        return violation(
            CODE,
            found,
            f"with sizes e^-800 times those of the fit the loss is {sympy.N(found.value, 3)!s} and "
            "grows further.",
            "at most ln V",
        )
    return Verdict(CODE, Status.SUPPORTED, "the loss stops growing as the sizes vanish.")


CONDITION = Condition(CODE, "bounded", decide)
