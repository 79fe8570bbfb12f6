"""Groups of runs beside each other and beside the population they come from."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayescale.errors import UsageError
from bayescale.plots import style
from bayescale.plots.subjects import Fitted, groups_of
from bayescale.posteriors.posterior import Posterior
from theory.declaration.symbols import Parameter, Role

ROLES = (Role.EXPONENT, Role.SHAPE, Role.FLOOR)
"""Which parameters are drawn, in this order."""

TAILS, HALF = (0.05, 0.95), (0.25, 0.75)
"""Ends of the thin and of the thick interval."""


def groups(posterior: Fitted, *, force: bool = False) -> Figure:
    """Draw exponents, shapes and floor of every group beside the population's.

    A row a group, a panel a parameter: the posterior median with its 50% interval (thick) and its
    90% interval (thin). The lowest row is the population's centre, the group of no offsets; the
    band behind all rows is its 90% interval. Parameters that all groups share have the same
    interval in every row, and parameters held fixed are left out.

    Parameters
    ----------
    posterior
        What `bayescale.fit_groups` gave.
    force
        Draw even where the gate refuses; the figure then says so in red.

    Returns
    -------
    matplotlib.figure.Figure
        Axes named after the parameters.

    Raises
    ------
    UsageError
        If the posterior is not one of groups, or no parameter is free.
    DiagnosticsRefused
        If the gate refuses and `force` is not given.
    """
    found = groups_of(posterior)
    if found is None:
        raise UsageError(
            "figure 'groups' draws groups of runs, and this posterior has none; fit them with "
            "bayescale.fit_groups (fit --groups)."
        )
    found.diagnosis.require(force=force)
    population = found.population
    members = {name: found.group(name) for name in found.groups}
    drawn = _free(population, members)
    if not drawn:
        raise UsageError(f"law '{population.law.name}' has no free exponent, shape or floor here.")
    with style.styled():
        height = 0.24 * (len(members) + 1) + 1.6
        figure = style.new_figure(max(2.1 * len(drawn) + 0.9, 4.6), height)
        panels = figure.subplots(1, len(drawn), squeeze=False, sharey=True)[0]
        for axes, parameter in zip(panels, drawn, strict=True):
            _draw(axes, parameter, population, members)
        rows = [*members, "population"]
        panels[0].set_yticks(range(len(rows)), labels=rows, parse_math=False)
        panels[0].set_ylim(len(rows) - 0.4, -0.6)
        panels[0].set_ylabel(f"group ({found.pooling.column})", parse_math=False)
        title = f"{len(members)} groups: {found.joint.origin}"
        handles = _handles()
        style.frame(figure, title, handles, refused=bool(found.diagnosis.refusals))
    return figure


def _free(population: Posterior, members: dict[str, Posterior]) -> list[Parameter]:
    """Parameters to draw that are not held at one value in the population and in every group."""
    ranked = [p for role in ROLES for p in population.law.parameters if p.role is role]
    every = [population, *members.values()]
    return [p for p in ranked if any(np.ptp(_values(post, p)) > 0 for post in every)]


def _values(posterior: Posterior, parameter: Parameter) -> np.ndarray:
    return posterior.draws[parameter.name].to_numpy().reshape(-1)


def _draw(
    axes: Axes, parameter: Parameter, population: Posterior, members: dict[str, Posterior]
) -> None:
    axes.set_label(parameter.name)
    centre = _values(population, parameter)
    axes.axvspan(*np.quantile(centre, TAILS), color=style.GREY, alpha=0.18, lw=0, gid="population")
    rows = [*((_values(post, parameter), style.BLUE, "o") for post in members.values())]
    rows.append((centre, style.INK, "D"))
    for height, (values, colour, marker) in enumerate(rows):
        middle = float(np.median(values))
        axes.hlines(height, *np.quantile(values, TAILS), color=colour, lw=0.9)
        axes.hlines(height, *np.quantile(values, HALF), color=colour, lw=2.6)
        look: dict[str, Any] = {"color": colour, "markersize": 4.5, "linestyle": "none"}
        look |= {"markeredgecolor": "white", "markeredgewidth": 0.5}
        axes.plot([middle], [height], marker=marker, gid="median", **look)
    axes.set_xlabel(style.parameter_label(parameter))


def _handles() -> list[Any]:
    def row(colour: str, marker: str, label: str) -> Line2D:
        return Line2D([], [], color=colour, marker=marker, markersize=4.5, lw=0.9, label=label)

    return [
        row(style.BLUE, "o", "group: median, 90% interval"),
        row(style.INK, "D", "population: the same"),
        Line2D([], [], color=style.BLUE, lw=2.6, label="50% interval"),
        Patch(color=style.GREY, alpha=0.3, linewidth=0, label="population's 90% interval"),
    ]
