"""Priors stated on a law's own parameters: which coordinates they replace, and with what bounds.

Exponents, shapes and noise parameters are coordinates as they are. A floor or an amplitude becomes
one when a prior is stated on it (`theory.declaration.stated_chart` says in place of which). Every
coordinate lives on an interval of its own, so the joint prior is the product of their priors, and
the prior stated on E is exactly the prior of E. Where E alone is stated, say, the joint prior is

    p(E) p(reducible_pivot) p(share_N) p(alpha) p(beta) ,    L_pivot = E + reducible_pivot ,

with the stated ``p(E)``, and ``reducible_pivot`` LogNormal around what the loss to expect at the
pivot leaves above E, wide enough (a factor of e) to say next to nothing about E.
"""

from collections.abc import Collection, Mapping

import numpy as np

from bayescale.distributions.prior import Prior
from bayescale.errors import UsageError
from bayescale.models.priors import Priors, checked_prior, interval_of
from theory.declaration.abstract_law import AbstractLaw
from theory.declaration.chart import FLOOR_FRACTION, LEVEL, LOSS, REDUCIBLE, Chart
from theory.declaration.logdomain import log_value
from theory.declaration.stated_chart import statable, stated_chart
from theory.errors import LawError, did_you_mean

REDUCIBLE_SPREAD = 1.0
"""Standard deviation of the log of the reducible loss at the pivot, where the floor is stated."""


def chart_of(law: AbstractLaw, names: Collection[str], noise: Collection[str]) -> Chart:
    """The chart whose coordinates are the names in a table of priors.

    Parameters
    ----------
    law
        The law.
    names
        Of all that has a prior; spreads and offsets of groups are passed over.
    noise
        Names of the noise parameters, which go before parameters of the law of the same name.
    """
    return stated_chart(law.chart, [name for name in names if name not in noise])


def state(
    priors: Priors, law: AbstractLaw, statements: Mapping[str, object], noise: Collection[str]
) -> Priors:
    """Put stated priors in place of those there; a number fixes what it is stated on.

    Parameters
    ----------
    priors
        Those there.
    law
        The law.
    statements
        A parameter of the law, a coordinate or a noise parameter -> `Prior` or number.
    noise
        Names of the noise parameters.

    Raises
    ------
    UsageError
        If a name is unknown, the statements contradict or repeat each other, or a prior reaches
        beyond where its parameter lives.
    """
    own = {name for name in statable(law.chart) if name not in noise}
    if not own & {*statements, *priors.table} and not {REDUCIBLE} & set(statements):
        _require_known(statements, [*priors.table, *sorted(own)])
        return priors.replace(statements)
    before = chart_of(law, priors.table, noise)
    try:
        chart = chart_of(law, [*statements, *stated_names(law, priors.table, noise)], noise)
    except LawError as error:
        raise UsageError(str(error)) from error
    others = {name: prior for name, prior in priors.table.items() if name not in before.names}
    _require_known(statements, [*chart.names, *others, *sorted(own - set(chart.names))])
    bounds = {name: priors.bounds[name] for name in others}
    table: dict[str, Prior] = {}
    for coordinate in sorted(chart.coordinates, key=lambda c: c.name not in own):
        name = coordinate.name
        bounds[name] = interval_of(coordinate)
        if name == LEVEL and law.floor is not None and law.floor.name in table:
            bounds[name] = _above(law.floor.name, table[law.floor.name])
        if name in statements:
            table[name] = checked_prior(name, statements[name], bounds[name])
        elif name in priors.table:
            table[name] = priors.table[name]
        else:
            table[name] = _reducible(law, {**priors.table, **table})
    ordered = {name: table[name] for name in chart.names} | others
    rest = {name: value for name, value in statements.items() if name in others}
    return Priors(ordered, priors.pivot, bounds).replace(rest)


def stated_names(law: AbstractLaw, names: Collection[str], noise: Collection[str]) -> list[str]:
    """Those names in a table of priors that say which chart it is: see `chart_of`."""
    known = [name for name in statable(law.chart) if name in names and name not in noise]
    if law.floor is not None and law.floor.name in known:
        known += [name for name in (LEVEL, FLOOR_FRACTION) if name in names]
    return known


def is_default_reducible(name: str, prior: Prior) -> bool:
    """Whether this is the prior that `state` gives the reducible loss at the pivot."""
    spread = prior.arguments.get("sigma")
    return name == REDUCIBLE and prior.family == "LogNormal" and spread == REDUCIBLE_SPREAD


def _require_known(names: Collection[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise UsageError(
                f"no prior can be set on '{name}', only on parameters of the law, coordinates "
                f"and noise parameters.{did_you_mean(name, known)}"
            )


def _above(floor: str, prior: Prior) -> tuple[float, float]:
    """Where the loss at the pivot lives above a stated floor."""
    upper = prior.bounds[1]
    if not np.isfinite(upper):
        raise UsageError(
            f"priors on {floor} and on {LEVEL} together need {floor} to stay below the loss, but "
            f"{prior!r} on {floor} has no upper end; fix {floor} or give it a Uniform, or leave "
            f"{LEVEL} out."
        )
    return upper, np.inf


def _reducible(law: AbstractLaw, table: Mapping[str, Prior]) -> Prior:
    """Prior of the kernel at the pivot, around what the expected loss leaves above the floor."""
    assert law.floor is not None
    floor, level = table[law.floor.name], _median(table[LEVEL])
    if floor.bounds[0] >= level:
        raise UsageError(
            f"{law.floor.name} is stated to be {floor.bounds[0]:.6g} or more, but the loss at the "
            f"middle of the runs is about {level:.4g} and must lie above it; state a smaller "
            f"{law.floor.name}."
        )
    below = 1.0 if floor.is_fixed else float(floor.scipy().cdf(level))
    middle = {p.name: _median(table[p.name]) for p in law.scale.parameters if p != law.floor}
    middle[law.floor.name] = _median(floor, below)
    positive = {p.name for p in law.scale.parameters if p.domain.is_positive}
    at = {name: np.log(value) if name in positive else value for name, value in middle.items()}
    log_kernel = log_value(law.scale.kernel(LOSS), {**at, LOSS.name: np.log(level)}, np)
    return Prior.around(float(np.exp(log_kernel)), REDUCIBLE_SPREAD)


def _median(prior: Prior, below: float = 1.0) -> float:
    """Median of a prior, or of the part of it that has this probability and lies lowest."""
    return prior.arguments["value"] if prior.is_fixed else float(prior.scipy().ppf(below / 2.0))
