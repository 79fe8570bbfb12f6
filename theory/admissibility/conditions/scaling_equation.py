"""A0: the kernel obeys the scaling equation, ``sum_i e_i/alpha_i = 1``."""

import numpy as np

from theory.admissibility import evidence
from theory.admissibility.condition import Condition
from theory.admissibility.judging import SEED, refuted, violation
from theory.admissibility.precision import Precise
from theory.admissibility.sampling import draw_parameters
from theory.admissibility.scaling import discover_weights, elasticities, residual, witness_point
from theory.admissibility.verdict import Status, Verdict
from theory.declaration.abstract_law import AbstractLaw
from theory.declaration.symbols import Resource

CODE = "A0"


def decide(law: AbstractLaw) -> Verdict:
    """The verdict on a law."""
    if law.weights is None:
        found = discover_weights(law)
        if found.values is None:
            assert found.witness is not None
            gap = f"{float(found.residual):.2g}"
            return refuted(
                CODE,
                f"no exponents make sum e_i/alpha_i = 1 at all points; the best leave {gap}.",
                found.witness,
                gap,
                "0",
            )
        if found.idle:
            return _idle(law, found.idle[0])
        if found.free:
            names = ", ".join(r.name for r in found.free)
            return Verdict(
                CODE, Status.PROVED, f"homogeneous, and leaves the exponent of {names} open."
            )
        names = ", ".join(f"{r.name}: {a}" for r, a in found.values.items())
        status = Status.PROVED if found.exact else Status.SUPPORTED
        return Verdict(CODE, status, f"homogeneous with the exponents {names}.")
    if residual(law) == 0:
        return Verdict(CODE, Status.PROVED, "every term has degree 1 under the scaling.")
    if found := evidence.off_scale(law, SEED):
        return violation(
            CODE, found, f"sum e_i/alpha_i is {float(found.value):.6g} instead of 1.", "1"
        )
    return Verdict(CODE, Status.SUPPORTED, "sum e_i/alpha_i = 1 at all points that were tried.")


def _idle(law: AbstractLaw, size: Resource) -> Verdict:
    """A size on which the kernel depends, but not as under any scaling."""
    draw = draw_parameters(law, np.random.default_rng(SEED))
    ops = Precise()
    slope = elasticities(law, draw.parameters, draw.log_pivot, ops)[size.name]
    detail = (
        f"the kernel depends on {size.name}, but obeys the equation only where {size.name} is "
        "held: it enters by a logarithm or the like."
    )
    witness = witness_point(law, draw.parameters, draw.log_pivot, ops)
    return refuted(CODE, detail, witness, f"elasticity {float(slope):.3g}", "a power of it")


CONDITION = Condition(CODE, "scaling equation", decide)
