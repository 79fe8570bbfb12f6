"""A4: each size approaches its limit as 1/R (model size also as 1/sqrt(N))."""

import sympy

from theory.admissibility.condition import Condition
from theory.admissibility.judging import approaches
from theory.admissibility.verdict import Verdict
from theory.declaration.abstract_law import AbstractLaw

CODE = "A4"


def decide(law: AbstractLaw) -> Verdict:
    """The verdict on a law."""
    return approaches(
        law,
        CODE,
        law.sizes,
        lambda r, rho: rho == 1 or (r.unit == "parameters" and rho == sympy.Rational(1, 2)),
        "1 (or 1/2 for a model size)",
        integers=False,
    )


CONDITION = Condition(CODE, "variance-limited", decide)
