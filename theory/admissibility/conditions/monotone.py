"""A2: the kernel does not rise with any size."""

from theory.admissibility import evidence
from theory.admissibility.condition import Condition
from theory.admissibility.judging import SEED, falls, rules, violation
from theory.admissibility.verdict import Status, Verdict
from theory.declaration.abstract_law import AbstractLaw
from theory.declaration.rules import Slope

CODE = "A2"


def decide(law: AbstractLaw) -> Verdict:
    """The verdict on a law."""
    known = rules(law)
    falling = (Slope.FALLING, Slope.FLAT)
    if known and all(known.slopes[r.symbol] in falling for r in law.sizes) and falls(law, known):
        return Verdict(CODE, Status.PROVED, "every term falls with the sizes in it.")
    if found := evidence.rising(law, SEED):
        return violation(
            CODE,
            found,
            f"the kernel rises with {found.what}: d ln kernel/d ln {found.what} = "
            f"{float(found.value):.3g}.",
            "at most 0",
        )
    return Verdict(CODE, Status.SUPPORTED, "the kernel falls at all points that were tried.")


CONDITION = Condition(CODE, "monotone", decide)
