"""A8: the kernel is a positive finite number wherever the law is meant."""

from theory.admissibility import evidence
from theory.admissibility.condition import Condition
from theory.admissibility.judging import SEED, falls, rules, violation
from theory.admissibility.verdict import Status, Verdict
from theory.declaration.abstract_law import AbstractLaw

CODE = "A8"


def decide(law: AbstractLaw) -> Verdict:
    """The verdict on a law."""
    meant = " and ".join(map(str, law.domain)) or "all positive sizes"
    known = rules(law)
    if known and falls(law, known):
        return Verdict(CODE, Status.PROVED, f"a sum of positive terms for {meant}.")
    if found := evidence.undefined(law, SEED):
        return violation(CODE, found, "the kernel is not a positive finite number.", "positive")
    return Verdict(CODE, Status.SUPPORTED, f"positive and finite where tried, of {meant}.")


CONDITION = Condition(CODE, "defined", decide)
