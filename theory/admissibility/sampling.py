"""Random parameters and resources at which a law is tested: every term counts, none overflows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from theory.declaration.abstract_law import AbstractLaw
from theory.declaration.chart import Coordinate, Kind
from theory.declaration.symbols import Domain, Parameter, Resource, Role
from theory.errors import LawError

LOG_PIVOT = 20.0
"""Log size around which resources are drawn, about 5e8."""

TRIES = 20
"""How often parameters are drawn until they are finite."""

RANGES: dict[Role, tuple[float, float]] = {
    Role.FLOOR: (0.5, 2.0),
    Role.CAP: (8.0, 12.0),
    Role.AMPLITUDE: (0.5, 2.0),
    Role.EXPONENT: (0.2, 0.6),
    Role.SHAPE: (0.6, 1.8),
}
"""Where a parameter without a typical value is drawn, by role; two significant digits are drawn."""

FRACTIONS: dict[Kind, tuple[float, float]] = {
    Kind.LEVEL: (2.0, 4.0),
    Kind.FLOOR_FRACTION: (0.3, 0.6),
    Kind.SHARE: (0.25, 0.75),
}


@dataclass(frozen=True)
class Draw:
    """One set of parameters, with the sizes at which its terms are of one order.

    Parameters
    ----------
    parameters
        Logarithm of each positive parameter, value of each other, by name.
    log_pivot
        Logarithm of each resource.
    """

    parameters: Mapping[str, float]
    log_pivot: Mapping[str, float]


def draw_parameters(law: AbstractLaw, rng: np.random.Generator) -> Draw:
    """Parameters at random, through the pivot coordinates where the law has them."""
    log_pivot = {
        r.name: _log_covariate(r, rng) if r.is_covariate else LOG_PIVOT for r in law.resources
    }
    if not law.has_chart:
        log_pivot = {r.name: log_pivot[r.name] if r.is_covariate else 0.0 for r in law.resources}
        natural = {p.name: draw_parameter(p, rng) for p in law.parameters}
        return Draw(_logs(law, natural), log_pivot)
    for _ in range(TRIES):
        coordinates = {c.name: _coordinate(c, rng) for c in law.chart.coordinates}
        with np.errstate(all="ignore"):
            found = law.chart.to_parameters(coordinates, log_pivot, np)
        if all(np.isfinite(value) for value in found.values()):
            return Draw({name: float(value) for name, value in found.items()}, log_pivot)
    raise LawError(
        f"law '{law.name}' has no finite parameters at {TRIES} random sets of pivot coordinates; "
        "check that its terms are positive."
    )


def draw_log_resources(
    law: AbstractLaw, draw: Draw, rng: np.random.Generator, *, reach: float, count: int
) -> dict[str, np.ndarray]:
    """Log resources, (point,), within `reach` e-folds of the pivot; covariates in their range."""
    return {
        r.name: np.array([_log_covariate(r, rng) for _ in range(count)])
        if r.is_covariate
        else draw.log_pivot[r.name] + rng.uniform(-reach, reach, count)
        for r in law.resources
    }


def draw_parameter(parameter: Parameter, rng: np.random.Generator) -> float:
    """A parameter at random: around its typical value within half a spread, or by its role."""
    if parameter.domain is Domain.UNIT:
        return round(float(rng.uniform(0.2, 0.8)), 2)
    if parameter.role is Role.POSITION:
        return float(f"{np.exp(LOG_PIVOT + rng.uniform(-2, 2)):.2g}")
    if parameter.typical is not None:
        centre, spread = parameter.typical
        shift = spread * rng.uniform(-0.5, 0.5)
        moved = centre * np.exp(shift) if parameter.domain.is_positive else centre + shift
        return float(f"{moved:.2g}")
    if parameter.domain is Domain.REAL:
        return round(float(rng.uniform(-1, 1)), 2)
    low, high = np.log(RANGES[parameter.role])
    return float(f"{np.exp(rng.uniform(low, high)):.2g}")


def _coordinate(coordinate: Coordinate, rng: np.random.Generator) -> float:
    if coordinate.parameter is not None:
        return draw_parameter(coordinate.parameter, rng)
    return round(float(rng.uniform(*FRACTIONS[coordinate.kind])), 2)


def _log_covariate(resource: Resource, rng: np.random.Generator) -> float:
    assert resource.typical is not None
    return float(rng.uniform(*np.log(resource.typical)))


def _logs(law: AbstractLaw, natural: Mapping[str, float]) -> dict[str, Any]:
    positive = {p.name for p in law.parameters if p.domain.is_positive}
    return {name: float(np.log(v)) if name in positive else v for name, v in natural.items()}
