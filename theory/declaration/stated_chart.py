"""Charts in which a floor or an amplitude is a coordinate itself, so that it has its own prior.

A law's parameters and its pivot coordinates are as many, and a chart may mix them. For the
additive law at pivot sizes ``N0, D0``, with ``t_N = A N0^-alpha`` and ``t_D = B D0^-beta``:

    stated      replaces                   what follows from the rest
    E           L_pivot, floor_fraction    L_pivot = E + reducible_pivot (a new coordinate)
    A           L_pivot                    t_D = t_N (1 - share_N)/share_N , E = floor_fraction L
    B           L_pivot                    t_N = t_D share_N/(1 - share_N) , E = floor_fraction L
    A, B        L_pivot, share_N           E = floor_fraction L
    E, A        L_pivot, floor_fraction    t_D = t_N (1 - share_N)/share_N
    E, A, B     all three                  nothing: the law's own parameters

So the first amplitude takes the place of the level, since its term sets the scale of the loss;
each further one that of the share between the two; the floor that of its fraction. In every chart
each coordinate lives on its own interval whatever the others are, hence independent priors of the
coordinates are the joint prior, and the one put on E is the marginal density of E: no Jacobian is
needed, and nothing is cut off.
"""

from collections.abc import Collection
from dataclasses import replace

from theory.declaration.chart import FLOOR_FRACTION, LEVEL, REDUCIBLE, Chart, Coordinate, Kind
from theory.declaration.symbols import Parameter
from theory.errors import LawError

_REDUCIBLE = Coordinate(REDUCIBLE, Kind.KERNEL, "reducible loss (kernel of the link) at the pivot")


def statable(chart: Chart) -> dict[str, Parameter]:
    """The floor and the amplitudes of a law by name: what pivot coordinates replace."""
    floor = () if chart.link.floor is None else (chart.link.floor,)
    return {p.name: p for p in (*floor, *(term.amplitude for term in chart.split.terms))}


def stated_chart(chart: Chart, names: Collection[str]) -> Chart:
    """The chart in which some of a law's own parameters are coordinates.

    Parameters
    ----------
    chart
        The pivot coordinates of the law.
    names
        What a prior is stated on. Floor and amplitudes among them become coordinates; pivot
        coordinates among them must stay. Other names are passed over.

    Returns
    -------
    Chart
        The pivot chart itself where neither the floor nor an amplitude is named.

    Raises
    ------
    LawError
        If a pivot coordinate that is named follows from the rest, or the law has no such chart.

    Examples
    --------
    >>> from theory import laws
    >>> stated_chart(laws.chinchilla.chart, ["E"]).names
    ('reducible_pivot', 'E', 'share_N', 'alpha', 'beta')
    >>> stated_chart(laws.chinchilla.chart, ["A", "B"]).names
    ('floor_fraction', 'A', 'B', 'alpha', 'beta')
    """
    stated = {name: p for name, p in statable(chart).items() if name in names}
    if not stated:
        return chart
    floor = chart.link.floor
    floors = [_own(floor)] if floor is not None and floor.name in stated else []
    floor_stated = bool(floors)
    amplitudes = [name for name in stated if name not in [c.name for c in floors]]
    dropped = {LEVEL} if amplitudes else set()
    dropped |= _shares_between(chart, amplitudes)
    added = []
    if floor_stated and FLOOR_FRACTION in names and not amplitudes:
        dropped.add(LEVEL)
    elif floor_stated:
        dropped.add(FLOOR_FRACTION)
        if not amplitudes and LEVEL not in names:
            dropped.add(LEVEL)
            added.append(_REDUCIBLE)
    _require_possible(chart, amplitudes, floor_stated=floor_stated)
    if follows := [name for name in chart.names if name in dropped and name in names]:
        both = " and ".join(stated)
        raise LawError(
            f"no prior can be set on '{follows[0]}' beside {both}, from which it follows; leave "
            "one of them out."
        )
    kept = [c for c in chart.coordinates if c.name not in dropped]
    scale = [c for c in kept if c.parameter is None]
    rest = [c for c in kept if c.parameter is not None]
    own = [_own(stated[name]) for name in amplitudes]
    return replace(chart, coordinates=(*added, *floors, *scale, *own, *rest))


def _own(parameter: Parameter) -> Coordinate:
    return Coordinate(parameter.name, Kind.STATED, parameter.meaning, parameter=parameter)


def _shares_between(chart: Chart, amplitudes: Collection[str]) -> set[str]:
    """The shares that divide two parts of which both are known."""
    dropped, terms = set(), chart.split.terms
    known = terms[-1].amplitude.name in amplitudes
    for term in reversed(terms[:-1]):
        own = term.amplitude.name in amplitudes
        if own and known:
            dropped.add(f"share_{term.label}")
        known = own or known
    return dropped


def _require_possible(chart: Chart, amplitudes: Collection[str], *, floor_stated: bool) -> None:
    terms = [term.amplitude.name for term in chart.split.terms]
    missing = [name for name in terms if name not in amplitudes]
    if amplitudes and missing and not chart.split.explicit:
        raise LawError(
            f"no prior can be set on '{next(iter(amplitudes))}' alone, because the terms of this "
            f"law depend on the loss itself; state all of {', '.join(terms)}, or none."
        )
    floor = chart.link.floor
    if amplitudes and floor is not None and not floor_stated:
        kernel = floor.symbol
        if chart.link.loss_at_fraction(kernel, kernel) is None:
            raise LawError(
                f"no prior can be set on '{next(iter(amplitudes))}' without one on {floor.name}, "
                "because the scale of this law's loss depends on it; state both."
            )
