"""The joint prior of a model, and the one place where a coordinate's role becomes a prior."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from bayescale.distributions.prior import Prior
from bayescale.errors import UsageError
from theory.declaration.abstract_law import AbstractLaw
from theory.declaration.chart import Coordinate, Kind
from theory.declaration.symbols import Domain, Role
from theory.errors import did_you_mean


@dataclass(frozen=True)
class Priors:
    """The joint prior of a model: one independent prior a coordinate, at a pivot.

    A floor or an amplitude on which a prior is stated is a coordinate too
    (`bayescale.models.stated_priors`).

    Parameters
    ----------
    table
        Coordinate or noise parameter -> prior.
    pivot
        Resource -> the size at which ``L_pivot``, ``floor_fraction`` and the shares are meant.
    bounds
        Coordinate or noise parameter -> the open interval that its prior must stay within.

    Raises
    ------
    UsageError
        If a pivot is not positive.
    """

    table: Mapping[str, Prior]
    pivot: Mapping[str, float]
    bounds: Mapping[str, tuple[float, float]]
    log_pivot: Mapping[str, float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, size in self.pivot.items():
            if not (math.isfinite(size) and size > 0):
                raise UsageError(f"the pivot of {name} must be finite and positive; got {size}.")
        logs = {name: math.log(size) for name, size in self.pivot.items()}
        object.__setattr__(self, "log_pivot", logs)

    def __hash__(self) -> int:
        return hash((tuple(self.table.items()), tuple(self.pivot.items())))

    def extended(self, more: Mapping[str, Prior]) -> "Priors":
        """These priors and further ones, which live where their families do."""
        bounds = dict(self.bounds) | {name: prior.bounds for name, prior in more.items()}
        return Priors({**self.table, **more}, self.pivot, bounds)

    def replace(self, overrides: Mapping[str, object]) -> "Priors":
        """Put priors in place of those of the same coordinates; a number fixes the coordinate.

        `bayescale.models.stated_priors.state` also takes parameters of the law that are not
        coordinates yet.

        Raises
        ------
        UsageError
            If a name is not a coordinate of the model, or its prior reaches beyond where the
            coordinate lives.
        """
        table = dict(self.table)
        for name, prior in overrides.items():
            if name not in table:
                raise UsageError(
                    f"'{name}' is no coordinate of these priors.{did_you_mean(name, table)}"
                )
            table[name] = checked_prior(name, prior, self.bounds[name])
        return Priors(table, self.pivot, self.bounds)


def checked_prior(name: str, prior: object, bounds: tuple[float, float]) -> Prior:
    """A prior as it was stated, if it stays where its quantity lives.

    A number fixes the quantity. A Normal on a quantity with a lower end only, such as a positive
    one, is the Normal cut off there and normalised (``TruncatedNormal``).

    Parameters
    ----------
    name
        What it is stated on.
    prior
        A `Prior` or a number.
    bounds
        Ends of the open interval in which the quantity lives.

    Raises
    ------
    UsageError
        If it is neither, or reaches beyond the interval.
    """
    if not isinstance(prior, Prior | float | int):
        raise UsageError(
            f"the prior of '{name}' must be a Prior, or a number that fixes it; got {prior!r}."
        )
    lower, upper = bounds
    out = prior if isinstance(prior, Prior) else Prior.fixed(prior)
    if out.family == "Normal" and math.isfinite(lower) and math.isinf(upper):
        out = Prior("TruncatedNormal", **out.arguments, lower=lower)
    low, high = out.bounds
    if low < lower or high > upper or (out.is_fixed and low in (lower, upper)):
        raise UsageError(
            f"'{name}' lives between {lower:g} and {upper:g}, but {out!r} reaches "
            f"from {low:g} to {high:g}; choose a family with that support."
        )
    return out


ROLE_PRIORS: dict[Role, tuple[float, float]] = {
    Role.EXPONENT: (0.3, 0.4),
    Role.SHAPE: (1.0, 0.35),
}
"""Role of a parameter -> median and log-sd of its LogNormal, unless its law says otherwise."""


LANGUAGE_MODEL_LOSS = 2.7
"""Loss, in nats per token, to expect at a pivot where there are no data."""


LN_VOCABULARY = math.log(50_257)
"""Loss of an untrained language model with a usual vocabulary, in nats per token."""


POSITION_SPREAD = 1.5
"""Standard deviation, in e-folds around the pivot, of the place where a law changes."""


def coordinate_prior(coordinate: Coordinate, level: float, pivot: Mapping[str, float]) -> Prior:
    """The default prior of one coordinate.

    Parameters
    ----------
    coordinate
        Of a law's chart.
    level
        Loss to expect at the pivot.
    pivot
        Size of each resource there.
    """
    if coordinate.kind is Kind.LEVEL:
        return Prior.around(level, 0.2)
    if coordinate.kind is Kind.FLOOR_FRACTION:
        return Prior("Beta", alpha=5, beta=3)
    if coordinate.kind is Kind.SHARE:
        if coordinate.after == 1:
            return Prior("Beta", alpha=2, beta=2)
        # Sticks of a symmetric Dirichlet with concentration 1.5.
        return Prior("Beta", alpha=1.5, beta=1.5 * coordinate.after)
    parameter = coordinate.parameter
    assert parameter is not None
    if parameter.role is Role.CAP:
        # The loss of an untrained language model is ln V whatever the data say.
        return Prior.fixed(max(LN_VOCABULARY, 4.0 * level))
    if parameter.role is Role.POSITION and parameter.of is not None:
        return Prior.around(pivot[parameter.of.name], POSITION_SPREAD)
    if parameter.domain is Domain.UNIT:
        mean, concentration = parameter.typical or (0.5, 2.0)
        return Prior("Beta", alpha=mean * concentration, beta=(1 - mean) * concentration)
    positive = parameter.domain is Domain.POSITIVE
    typical = parameter.typical or (ROLE_PRIORS.get(parameter.role) if positive else None)
    if typical is None:
        raise UsageError(
            f"{parameter.name} with role {parameter.role} and domain {parameter.domain} has no "
            "default prior; declare it with typical=(centre, spread)."
        )
    centre, spread = typical
    return Prior.around(centre, spread) if positive else Prior("Normal", mu=centre, sigma=spread)


def interval_of(coordinate: Coordinate) -> tuple[float, float]:
    """Ends of the open interval in which a coordinate lives."""
    if coordinate.parameter is not None:
        domain = coordinate.parameter.domain
    else:
        positive = coordinate.kind in (Kind.LEVEL, Kind.KERNEL)
        domain = Domain.POSITIVE if positive else Domain.UNIT
    return {
        Domain.POSITIVE: (0.0, math.inf),
        Domain.UNIT: (0.0, 1.0),
        Domain.REAL: (-math.inf, math.inf),
    }[domain]


def default_priors(
    law: AbstractLaw,
    noise: Mapping[str, Prior],
    *,
    pivot: Mapping[str, float],
    level: float = LANGUAGE_MODEL_LOSS,
) -> Priors:
    """Default priors of a law and its noise.

    Parameters
    ----------
    law
        Its chart says which coordinates there are.
    noise
        Priors of the likelihood's own parameters.
    pivot
        Size of each resource at the pivot (the geometric mean of the runs).
    level
        Loss to expect at the pivot, in nats per token (the median loss of the runs).

    Raises
    ------
    UsageError
        If the pivot does not name the law's resources, or a parameter has no default prior.
    """
    names = [resource.name for resource in law.resources]
    if not set(names) <= set(pivot):
        raise UsageError(
            f"law '{law.name}' needs a pivot for {', '.join(names)}; "
            f"got {', '.join(pivot) or 'none'}."
        )
    table = {c.name: coordinate_prior(c, level, pivot) for c in law.chart.coordinates}
    if clash := sorted(set(table) & set(noise)):
        raise UsageError(
            f"{', '.join(clash)} is a parameter of law '{law.name}' and of the likelihood; rename "
            "it in the law."
        )
    table |= noise
    bounds = {name: prior.bounds for name, prior in noise.items()}
    bounds |= {c.name: interval_of(c) for c in law.chart.coordinates}
    return Priors(table, {name: float(pivot[name]) for name in names}, bounds)
