"""Simulation-based calibration: whether ranks are uniform, a small panel a quantity."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayescale.plots import style
from bayescale.validation.simulation_based import LEVEL, Ranks, ecdf_difference

ACROSS = 4
"""Most panels in a row."""


def sbc(ranks: Ranks) -> Figure:
    """Draw the empirical distribution of ranks less the uniform one, for each quantity.

    The band holds the whole line of a quantity with probability 99% if its ranks are uniform
    (Sailynoja et al. 2022, by ArviZ). A line that starts above it and ends below belongs to a
    posterior that is too narrow; the reverse, to one that is too wide; a line on one side, to one
    that is shifted. Where a line leaves its band it is marked, and the title says so.

    Parameters
    ----------
    ranks
        What `bayescale.simulation_based_calibration` returned.

    Returns
    -------
    matplotlib.figure.Figure
        One axes a quantity, labelled with its name.
    """
    names = [str(name) for name in ranks.ranks]
    across = min(ACROSS, len(names))
    down = -(-len(names) // across)
    at, _, low, high = ecdf_difference(ranks.ranks[names[0]].to_numpy(dtype=np.float64))
    with style.styled():
        figure = style.new_figure(max(1.8 * across, 4.0), 1.55 * down + 1.3)
        panels = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
        inside = [
            _draw(axes, name, at, _difference(ranks.ranks[name].to_numpy(), at), low, high)
            for axes, name in zip(panels.flat, names, strict=False)
        ]
        for axes in panels.flat[len(names) :]:
            axes.remove()
        for axes in panels[:, 0]:
            axes.tick_params(labelleft=True)
        for index in range(len(names)):  # the lowest of each column, where the last row is short
            panels.flat[index].tick_params(labelbottom=index + across >= len(names))
        figure.supxlabel("rank among posterior draws (fraction)", fontsize=8.5)
        figure.supylabel("ECDF less uniform (probability)", fontsize=8.5)
        first = ranks.fits.models[0]
        told = f"{len(ranks.ranks)} simulated tables of {len(ranks.fits.tables[0])} runs"
        title = f"Simulation-based calibration: {told}, law {first.law.name}"
        style.frame(figure, title, _handles(ranks, all(inside)), refused=False, columns=1)
    return figure


def _difference(ranks: np.ndarray, at: np.ndarray) -> np.ndarray:
    """As `ecdf_difference`, without its band, which depends on the number of ranks alone."""
    return np.searchsorted(np.sort(ranks), at, side="right") / len(ranks) - at


def _draw(
    axes: Axes,
    name: str,
    at: np.ndarray,
    difference: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
) -> bool:
    """Draw one quantity, and return whether it stays inside its band."""
    outside = (difference < low) | (difference > high)
    axes.set_label(name)
    axes.fill_between(at, low, high, color=style.BLUE, alpha=0.25, linewidth=0, gid="band")
    axes.axhline(0, color=style.INK, linewidth=0.7, gid="uniform")
    axes.plot(at, difference, color=style.BLUE, drawstyle="steps-post", gid="difference")
    if outside.any():
        axes.plot(
            at[outside],
            difference[outside],
            color=style.ORANGE,
            marker="X",
            markersize=2.5,
            linestyle="none",
            gid="outside",
        )
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_title(
        f"{name}: outside" if outside.any() else name,
        color=style.ORANGE if outside.any() else style.INK,
        pad=3,
    )
    return not outside.any()


def _handles(ranks: Ranks, inside: bool) -> list[Any]:
    tables = f"ranks of {len(ranks.ranks)} tables"
    if ranks.refused:
        tables += f" ({ranks.refused} refused by the gate)"
    handles: list[Any] = [
        Line2D([], [], color=style.BLUE, label=tables),
        Line2D([], [], color=style.INK, lw=0.7, label="uniform ranks"),
        Patch(color=style.BLUE, alpha=0.25, linewidth=0, label=f"{LEVEL:.0%} simultaneous band"),
    ]
    if not inside:
        mark: dict[str, Any] = {"marker": "X", "markersize": 4, "linestyle": "none"}
        handles.append(Line2D([], [], color=style.ORANGE, label="outside", **mark))
    return handles
