"""A3: the log of the kernel is convex in the logs of the sizes."""

from theory.admissibility import evidence
from theory.admissibility.condition import Condition
from theory.admissibility.judging import SEED, falls, rules, violation
from theory.admissibility.verdict import Status, Verdict
from theory.declaration.abstract_law import AbstractLaw

CODE = "A3"


def decide(law: AbstractLaw) -> Verdict:
    """The verdict on a law."""
    known = rules(law)
    if known and known.is_convex and falls(law, known):
        return Verdict(CODE, Status.PROVED, "log-log convex by the rules of geometric programming.")
    if found := evidence.concave(law, SEED):
        return violation(
            CODE,
            found,
            f"the second difference of ln kernel is {float(found.value):.3g} along {found.what}.",
            "at least 0",
        )
    return Verdict(CODE, Status.SUPPORTED, "log-log convex at all points that were tried.")


CONDITION = Condition(CODE, "log-log convex", decide)
