"""A5: the loss is analytic in 1/D (in each inverse size but a model size) at 0."""

from theory.admissibility.condition import Condition
from theory.admissibility.judging import approaches
from theory.admissibility.verdict import Verdict
from theory.declaration.abstract_law import AbstractLaw

CODE = "A5"


def decide(law: AbstractLaw) -> Verdict:
    """The verdict on a law."""
    chosen = tuple(r for r in law.sizes if r.unit != "parameters")
    return approaches(
        law,
        CODE,
        chosen,
        lambda r, rho: bool(rho.is_integer and rho.is_positive),
        "a positive integer",
        integers=True,
    )


CONDITION = Condition(CODE, "analytic in 1/D", decide)
