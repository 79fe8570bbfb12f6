"""Numerical evidence on a law: searches for violations, each confirmed with 50 digits.

A search runs in double precision over many points and parameters; what it finds is evaluated
again by the same formula in high-precision arithmetic, and only that counts. Finding nothing
supports a claim and never proves it: a violation may be narrow.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import sympy

from theory.admissibility.precision import Precise
from theory.admissibility.sampling import Draw, draw_log_resources, draw_parameters
from theory.admissibility.scaling import elasticities, obeys, witness_point
from theory.declaration.abstract_law import AbstractLaw
from theory.declaration.namespace import Numeric
from theory.declaration.symbols import Resource

DRAWS = 6
"""Sets of parameters that are tried."""

POINTS = 801
"""Points for each."""

REACH = 15.0
"""E-folds around the pivot, for a law whose crossover is not a function of one variable."""

CROSSOVER = 40.0
"""E-folds of the ratio of the single-resource losses, for a law where it is."""

STEP_1, STEP_2 = 1e-3, 0.02
"""Steps of first and second differences: rounding 1e-13 becomes 1e-10 and 1e-9."""

CHORD = 1.0
"""E-folds of a wide second difference, which sees over a pole or a kink."""

NOTICED_1, NOTICED_2 = 1e-7, 1e-6
"""Smallest violations that are looked at again; far above those roundings."""

ZERO = 1e-12
"""What counts as nothing in 50 digits, of which a derivative keeps a third."""

NEAR_LIMIT = (10_000.0, 20_000.0)
"""E-folds at which other sizes are infinite; an approach with exponent 0.002 is over by then."""

FAR_DIGITS = 900
"""Digits in which an approach to a limit is resolved: corrections there are near e^-500."""


@dataclass(frozen=True)
class Found:
    """A violation.

    Parameters
    ----------
    value
        What was found, with all digits.
    witness
        Where, in the user's units.
    what
        Name of the resource or direction concerned.
    """

    value: sympy.Number
    witness: dict[str, sympy.Float]
    what: str


def samples(law: AbstractLaw, seed: int) -> Iterator[tuple[Draw, dict[str, np.ndarray]]]:
    """Sets of parameters, each with log resources (point,) at which the law is looked at."""
    rng = np.random.default_rng(seed)
    for _ in range(DRAWS):
        draw = draw_parameters(law, rng)
        yield draw, _points(law, draw, rng)


def _points(law: AbstractLaw, draw: Draw, rng: np.random.Generator) -> dict[str, np.ndarray]:
    two = len(law.resources) == len(law.sizes) == 2
    if law.weights is None or not two or not obeys(law, law.weights):
        return draw_log_resources(law, draw, rng, reach=REACH, count=POINTS)
    # A homogeneous law in two sizes is a function of one ratio, which can be searched finely.
    first, second = law.sizes
    away = np.linspace(-CROSSOVER, CROSSOVER, POINTS) / float(_at(law.weights[second], law, draw))
    return {
        first.name: np.full(POINTS, draw.log_pivot[first.name]),
        second.name: draw.log_pivot[second.name] + away,
    }


def _at(expr: Any, law: AbstractLaw, draw: Draw) -> Any:
    """A weight at a draw of parameters."""
    natural = {
        p.symbol: float(v) for p in law.parameters for v in [law.values(draw.parameters)[p.name]]
    }
    covariates = {r.symbol: math.exp(draw.log_pivot[r.name]) for r in law.resources}
    return sympy.sympify(expr, strict=True).subs({**covariates, **natural})


def rising(law: AbstractLaw, seed: int) -> Found | None:
    """A point where the kernel rises with a size."""
    ops = Precise()
    for draw, at in samples(law, seed):
        for resource in law.sizes:
            ends = [_moved(law, draw, at, {resource.name: h}) for h in (STEP_1, -STEP_1)]
            slope = (ends[0] - ends[1]) / (2 * STEP_1)
            for j in _worst(-slope, NOTICED_1):
                point = {name: float(column[j]) for name, column in at.items()}
                value = -elasticities(law, draw.parameters, point, ops)[resource.name]
                if value > ZERO:
                    witness = witness_point(law, draw.parameters, point, ops)
                    return Found(ops.to_sympy(value), witness, resource.name)
    return None


def concave(law: AbstractLaw, seed: int) -> Found | None:
    """A point and a direction in log sizes in which the log of the kernel bends down."""
    ops, rng = Precise(), np.random.default_rng(seed + 1)
    for draw, at in samples(law, seed):
        for direction, step in product(_directions(law, rng), (STEP_2, CHORD)):
            ends = [
                _moved(law, draw, at, {n: h * d for n, d in direction.items()})
                for h in (step, 0.0, -step)
            ]
            bend = (ends[0] - 2 * ends[1] + ends[2]) / step**2
            for j in _worst(bend, NOTICED_2):
                point = {name: float(column[j]) for name, column in at.items()}
                # A convex function lies below each of its chords, so one above it refutes.
                kernel, wide = _along(law, draw, point, direction, ops), ops.mpf(step)
                value = (kernel(wide) - 2 * kernel(ops.mpf(0)) + kernel(-wide)) / wide**2
                if value < -ZERO:
                    witness = witness_point(law, draw.parameters, point, ops)
                    along = ", ".join(f"{d:.3g} in ln {n}" for n, d in direction.items())
                    return Found(ops.to_sympy(value), witness, along)
    return None


def _directions(law: AbstractLaw, rng: np.random.Generator) -> Iterator[dict[str, float]]:
    names = [r.name for r in law.sizes]
    for name in names:
        yield {other: float(other == name) for other in names}
    for _ in range(4 if len(names) > 1 else 0):
        drawn = rng.standard_normal(len(names))
        yield dict(zip(names, (drawn / np.linalg.norm(drawn)).tolist(), strict=True))


def _moved(
    law: AbstractLaw, draw: Draw, at: dict[str, np.ndarray], by: dict[str, float]
) -> np.ndarray:
    moved = {name: column + by.get(name, 0.0) for name, column in at.items()}
    with np.errstate(all="ignore"):
        return np.asarray(law.log_kernel(draw.parameters, moved, np))


def _worst(margin: np.ndarray, noticed: float) -> list[int]:
    """Indices of the few smallest entries below ``-noticed``."""
    known = np.nan_to_num(margin, nan=np.inf, posinf=np.inf, neginf=np.inf)
    return [int(j) for j in np.argsort(known)[:3] if known[j] < -noticed]


def _along(
    law: AbstractLaw, draw: Draw, point: dict[str, float], by: dict[str, float], ops: Precise
) -> Callable[[Numeric], Any]:
    parameters = {name: ops.mpf(v) for name, v in draw.parameters.items()}
    base = {name: ops.mpf(v) for name, v in point.items()}
    return lambda s: law.log_kernel(
        parameters, {n: v + s * ops.mpf(by.get(n, 0.0)) for n, v in base.items()}, ops
    )


def undefined(law: AbstractLaw, seed: int) -> Found | None:
    """A point where the kernel is not a positive finite number."""
    ops = Precise()
    for draw, at in samples(law, seed):
        values = _moved(law, draw, at, {})
        for j in np.flatnonzero(~np.isfinite(values))[:3]:
            point = {name: float(column[j]) for name, column in at.items()}
            value = _along(law, draw, point, {}, ops)(ops.mpf(0))
            if not _is_number(value):
                witness = witness_point(law, draw.parameters, point, ops)
                return Found(sympy.Float("nan"), witness, "the kernel")
    return None


def _is_number(value: Any) -> bool:
    return not hasattr(value, "imag") or (value.imag == 0 and math.isfinite(value.real))


def no_limit(law: AbstractLaw, seed: int) -> Found | None:
    """A size whose limit, all others infinite, is 0 or infinite.

    Compares the kernel at two sizes of the others, `NEAR_LIMIT`; where its log changes by less than
    1e-6 a limit exists.
    """
    ops, rng = Precise(), np.random.default_rng(seed)
    for _ in range(2):
        draw = draw_parameters(law, rng)
        for resource in law.sizes:
            ends = []
            for far in NEAR_LIMIT:
                point = _far(law, draw, resource, far)
                ends.append((point, _along(law, draw, point, {}, ops)(ops.mpf(0))))
            change = ends[1][1] - ends[0][1]
            if not _is_number(change) or abs(change) > 1e-6:
                value = ops.exp(change) if _is_number(change) else ops.mpf(0)
                witness = witness_point(law, draw.parameters, ends[1][0], ops)
                return Found(ops.to_sympy(value), witness, resource.name)
    return None


def _far(law: AbstractLaw, draw: Draw, kept: Resource, far: float) -> dict[str, float]:
    return {
        r.name: draw.log_pivot[r.name] + (0.0 if r == kept or r.is_covariate else far)
        for r in law.resources
    }


@dataclass(frozen=True)
class Approach:
    """How the kernel approaches its limit as one size grows, the others finite.

    Parameters
    ----------
    exponents
        The exponent of ``kernel - limit`` in the inverse size, and that of the next correction
        relative to it; infinite where the limit is reached or no correction is left.
    witness
        Where they were measured.
    faster_than_any_power
        Whether the limit is not reached but approached as by ``exp(-R)``: smooth in the inverse
        size, yet without a power series there.
    """

    exponents: tuple[float, float]
    witness: dict[str, sympy.Float]
    faster_than_any_power: bool = False


def approach(law: AbstractLaw, resource: Resource, seed: int) -> Approach | None:
    """Measure the variance-limited exponents of one size, or None where there is no limit in sight.

    ``rho_1`` is the slope of ``ln(kernel - limit)`` between e^400 and e^410 from the pivot, the
    limit taken at e^6000, and ``rho_2`` that of what is left of ``(kernel - limit) R^rho_1``.
    """
    ops = Precise(FAR_DIGITS)
    draw = draw_parameters(law, np.random.default_rng(seed))
    point = dict(draw.log_pivot)
    kernel = _along(law, draw, point, {resource.name: 1.0}, ops)
    places = [ops.mpf(place) for place in (200, 210, 400, 410, 6000)]
    logs = [kernel(place) for place in places]
    if not all(_is_number(value) for value in logs):
        return None
    if abs(logs[4] - logs[3]) > 0.05:
        return None  # still moving at e^410: there is no limit, or it is out of sight
    *values, limit = [ops.exp(value) for value in logs]
    gaps = [abs(value - limit) for value in values]
    witness = witness_point(law, draw.parameters, point, Precise())
    if any(gap < limit * ops.mpf(10) ** -(FAR_DIGITS - 50) for gap in gaps):
        # Reached, or still a little off at 8 times the pivot?
        near = abs(ops.exp(kernel(ops.mpf(2))) - limit) > limit * ops.mpf(10) ** -(FAR_DIGITS - 50)
        return Approach((math.inf, math.inf), witness, bool(near))
    first = (ops.log(gaps[2]) - ops.log(gaps[3])) / 10
    # An exponent with few digits is what is meant: 0.74 is 0.7400000...
    exact = ops.mpf(str(round(float(first), 9)))
    flat = [gap * ops.exp(exact * place) for gap, place in zip(gaps, places, strict=False)]
    left = [abs(value - flat[3]) for value in flat[:2]]
    # Below this are rounding, of the limit too, and the distance of e^6000 from infinity.
    rounding = (flat[3] + limit * ops.exp(exact * places[3])) * ops.mpf(10) ** -(FAR_DIGITS - 50)
    if min(left) < rounding + flat[3] * ops.exp(-exact * 5000):
        return Approach((float(exact), math.inf), witness)
    return Approach((float(exact), float((ops.log(left[0]) - ops.log(left[1])) / 10)), witness)


def unbounded(law: AbstractLaw, seed: int) -> Found | None:
    """A point of tiny sizes where the loss still grows as they shrink."""
    ops = Precise()
    draw = draw_parameters(law, np.random.default_rng(seed))
    parameters = {name: ops.mpf(v) for name, v in draw.parameters.items()}
    logs = []
    for far in (400.0, 800.0):
        point = {
            r.name: draw.log_pivot[r.name] - (0.0 if r.is_covariate else far) for r in law.resources
        }
        logs.append(
            (point, law.log_loss(parameters, {n: ops.mpf(v) for n, v in point.items()}, ops))
        )
    growth = logs[1][1] - logs[0][1]
    if _is_number(growth) and growth < 1e-3:
        return None
    value = ops.exp(logs[1][1]) if _is_number(growth) else ops.mpf("nan")
    return Found(
        ops.to_sympy(value), witness_point(law, draw.parameters, logs[1][0], ops), "the loss"
    )


def not_absorbed(law: AbstractLaw, unit: str, seed: int) -> Found | None:
    """A point where a change of unit is no change of parameters.

    The derivative of the log kernel in the logs of the sizes of that unit must be one combination
    of its derivatives in the parameters, at all points.
    """
    ops, rng = Precise(), np.random.default_rng(seed)
    draw = draw_parameters(law, rng)
    count = len(law.parameters) + 6
    at = draw_log_resources(law, draw, rng, reach=REACH, count=count)
    sizes = [r.name for r in law.sizes if r.unit == unit]
    kernel_names = [p.name for p in law.parameters if p not in law.scale.parameters]
    rows, targets, points = [], [], []
    for j in range(count):
        point = {name: float(column[j]) for name, column in at.items()}
        by = dict.fromkeys(sizes, 1.0)
        targets.append(float(ops.slope(_along(law, draw, point, by, ops), ops.mpf(0))))
        rows.append([float(_in_parameter(law, draw, point, name, ops)) for name in kernel_names])
        points.append(point)
    matrix, target = np.array(rows), np.array(targets)
    if not np.all(np.isfinite(matrix)):
        return None
    combination = np.linalg.lstsq(matrix, target, rcond=1e-12)[0]
    gaps = np.abs(matrix @ combination - target)
    worst = int(np.argmax(gaps))
    if gaps[worst] < 1e-7:  # double-precision least squares
        return None
    witness = witness_point(law, draw.parameters, points[worst], ops)
    return Found(sympy.Float(float(gaps[worst])), witness, ", ".join(sizes))


def _in_parameter(
    law: AbstractLaw, draw: Draw, point: dict[str, float], name: str, ops: Precise
) -> Any:
    parameters = {n: ops.mpf(v) for n, v in draw.parameters.items()}
    resources = {n: ops.mpf(v) for n, v in point.items()}
    return ops.slope(
        lambda v: law.log_kernel({**parameters, name: v}, resources, ops), parameters[name]
    )


def off_scale(law: AbstractLaw, seed: int) -> Found | None:
    """A point where the elasticities, over the law's weights, do not add up to 1."""
    ops, rng = Precise(), np.random.default_rng(seed)
    assert law.weights is not None
    for _ in range(3):
        draw = draw_parameters(law, rng)
        at = draw_log_resources(law, draw, rng, reach=REACH, count=4)
        for j in range(4):
            point = {name: float(column[j]) for name, column in at.items()}
            slopes = elasticities(law, draw.parameters, point, ops)
            here = Draw(draw.parameters, point)
            total = ops.mpf(0)
            for r in law.resources:
                weight = _at(law.weights[r], law, here)
                total += 0 if weight is sympy.oo else slopes[r.name] / ops.from_number(weight)
            if abs(total - 1) > 1e-9:  # weights are evaluated in double precision
                witness = witness_point(law, draw.parameters, point, ops)
                return Found(ops.to_sympy(total), witness, "sum e_i/alpha_i")
    return None
