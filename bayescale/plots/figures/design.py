"""Where the next runs lie: the gain of every candidate, and the batch that was chosen."""

from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bayescale.designing.design import Design
from bayescale.plots import style
from theory.declaration.symbols import D, N, Resource

SMALLEST, LARGEST = 14.0, 110.0
"""Area of a mark, in square points: of a run made once, and of the run made most often."""


def design(found: Design, runs: pd.DataFrame | None = None) -> Figure:
    """Draw the candidates of a design by what one run of each tells, and the batch.

    Parameters
    ----------
    found
        What `bayescale.design` gave.
    runs
        The runs so far, with columns N and D, to be drawn beside (``posterior.runs``).

    Returns
    -------
    matplotlib.figure.Figure
        Axes ``"map"``: every candidate at its N and D, its colour the gain of a single run in nats,
        circles around those chosen as wide as they are often run; and ``"colours"``.
    """
    table, chosen = found.candidates, found.table
    with style.styled():
        figure = style.Plot(5.0, 4.4)
        axes = figure.subplots()
        axes.set_label("map")
        shade = Normalize(0.0, float(np.max(table["gain"])))
        points = axes.scatter(
            table["N"],
            table["D"],
            c=table["gain"],
            cmap=style.SEQUENCE,
            norm=shade,
            s=9,
            linewidths=0,
            gid="candidates",
        )
        if runs is not None:
            axes.scatter(
                runs["N"], runs["D"], s=7, color=style.GREY, alpha=0.6, marker="x", gid="runs"
            )
        axes.scatter(
            chosen["N"],
            chosen["D"],
            s=_areas(chosen["count"].to_numpy()),
            facecolors="none",
            edgecolors=style.ORANGE,
            linewidths=1.3,
            gid="chosen",
        )
        drawn = [table, chosen] if runs is None else [table, chosen, runs]
        _axes(axes, drawn)
        bar = figure.colorbar(points, ax=axes, pad=0.02)
        bar.set_label("gain of one run (nats)")
        bar.ax.set_label("colours")
        style.legend_above(figure, _handles(found, runs), refused=not found.trusted)
    return figure


def _axes(axes: Axes, drawn: list[pd.DataFrame]) -> None:
    both: tuple[tuple[Literal["x", "y"], Resource], ...] = (("x", N), ("y", D))
    for which, resource in both:
        values = np.concatenate([part[resource.name].to_numpy(float) for part in drawn])
        style.log_axis(axes, which, style.padded(values), style.number, style.DECADES)
        label = style.resource_label(resource)
        axes.set(**{f"{which}label": label})


def _areas(counts: np.ndarray) -> np.ndarray:
    """Areas of marks that grow with the number of runs."""
    return SMALLEST + (LARGEST - SMALLEST) * (counts - 1) / max(float(counts.max() - 1), 1.0)


def _handles(found: Design, runs: pd.DataFrame | None) -> list[Line2D]:
    def mark(marker: str, label: str, **how: Any) -> Line2D:
        return Line2D([], [], linestyle="none", marker=marker, markersize=5, label=label, **how)

    total, most = int(np.sum(found.table["count"])), int(np.max(found.table["count"]))
    told = f"chosen: {total} runs for {style.number(found.table_cost)} FLOP"
    if most > 1:
        told += f", a kind at most {most} times"
    handles = [mark("o", told, markerfacecolor="none", markeredgecolor=style.ORANGE)]
    if runs is not None:
        handles.append(mark("x", "runs so far", color=style.GREY))
    return handles
