"""Where the next runs lie: the gain of every candidate, and the batch that was chosen."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bayescale.cost import AbstractCost
from bayescale.designing.design import Design
from bayescale.designing.design import design as find_design
from bayescale.plots import style
from bayescale.plots.subjects import Fitted, chosen
from theory.declaration.symbols import D, N, Resource

SMALLEST, LARGEST = 14.0, 110.0
"""Area of a mark, in square points: of a run made once, and of the run made most often."""


NEAR = 1e-6
"""Relative distance at which a candidate lies on an edge of the box of all candidates."""


def design(found: Design, runs: pd.DataFrame | None = None) -> Figure:
    """Draw the candidates of a design by what one run of each tells, and the batch.

    Circles are the candidates chosen, as wide as they are often run; those with a square lie on the
    edge of the box of candidates, where a wider box may hold better ones, and the legend says which
    edge and which option widens it.

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
        circles around those chosen; and ``"colours"``.
    """
    table, chosen_rows = found.candidates, found.table
    at_edge = edges(found)
    with style.styled():
        figure = style.new_figure(5.4, 5.4)
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
                runs["N"], runs["D"], s=9, color=style.GREY, alpha=0.6, marker="x", gid="runs"
            )
        axes.scatter(
            chosen_rows["N"],
            chosen_rows["D"],
            s=_areas(chosen_rows["count"].to_numpy()),
            facecolors="none",
            edgecolors=style.ORANGE,
            linewidths=1.3,
            gid="chosen",
        )
        on_edge = np.any([*at_edge.values(), np.zeros(len(chosen_rows), bool)], axis=0)
        if on_edge.any():
            axes.scatter(
                chosen_rows["N"][on_edge],
                chosen_rows["D"][on_edge],
                s=LARGEST + 40.0,
                marker="s",
                facecolors="none",
                edgecolors=style.INK,
                linewidths=0.8,
                gid="at the edge",
            )
        drawn = [table, chosen_rows] if runs is None else [table, chosen_rows, runs]
        _axes(axes, drawn)
        bar = figure.colorbar(points, ax=axes, pad=0.02)
        bar.set_label("gain of one run (nats)")
        bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
        bar.ax.set_label("colours")
        bar.ax.grid(False)
        title = f"Next runs, asked about {found.at:.3g} FLOP: {found.origin or 'no runs yet'}"
        handles = _handles(found, runs, {k: v for k, v in at_edge.items() if v.any()})
        style.frame(figure, title, handles, refused=not found.trusted, columns=1)
    return figure


def subject(
    source: Fitted,
    *,
    budget: float,
    at: float,
    group: str | None = None,
    cost: str | AbstractCost = "6ND",
    single_law: bool = False,
    force: bool = False,
) -> Design:
    """The design for a budget of runs (FLOP), asked about the optimum at another."""
    found = chosen(source, group)
    return find_design(found, budget, at, cost=cost, single_law=single_law, force=force)


def beside(source: Fitted) -> dict[str, Any]:
    """The runs so far."""
    runs = chosen(source, None).runs
    return {} if runs is None else {"runs": runs}


def edges(found: Design) -> dict[str, np.ndarray]:
    """Edge of the box, with what widens it -> which of the chosen rows lie on it, (row,)."""
    table, batch = found.candidates, found.table
    ratios = {"all": table["D"] / table["N"], "chosen": batch["D"] / batch["N"]}
    costs = {"all": table["cost"], "chosen": batch["cost"]}
    told = {
        "as dear as a run may be (max_cost)": (costs, np.max),
        "as cheap as any": (costs, np.min),
        "most tokens a parameter (ratios)": (ratios, np.max),
        "fewest tokens a parameter (ratios)": (ratios, np.min),
    }
    return {
        label: np.isclose(what["chosen"].to_numpy(), float(end(what["all"])), rtol=NEAR)
        for label, (what, end) in told.items()
        if np.ptp(what["all"].to_numpy()) > NEAR * float(np.max(what["all"]))
    }


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


def _handles(
    found: Design, runs: pd.DataFrame | None, at_edge: Mapping[str, np.ndarray]
) -> list[Line2D]:
    def mark(marker: str, label: str, **how: Any) -> Line2D:
        how = {"markersize": 5, "linestyle": "none", **how}
        return Line2D([], [], marker=marker, label=label, **how)

    count = found.table["count"].to_numpy()
    total, most = int(count.sum()), int(count.max())
    told = f"chosen: {total} runs for {style.number(found.table_cost)} FLOP"
    if most > 1:
        told += f" (wider: run more often, at most {most} times)"
    handles = [
        mark("o", f"candidate ({len(found.candidates)})", color=style.SEQUENCE(0.5), markersize=3),
        mark("o", told, markerfacecolor="none", markeredgecolor=style.ORANGE),
    ]
    if at_edge:
        parts = [f"{int(count[rows].sum())} {label}" for label, rows in at_edge.items()]
        label = "at the edge of the box, so wider bounds may tell more:\n" + ",\n".join(parts)
        square = {"markerfacecolor": "none", "markeredgecolor": style.INK, "markersize": 7}
        handles.append(mark("s", label, **square))
    if runs is not None:
        handles.append(mark("x", f"runs so far ({len(runs)})", color=style.GREY))
    return handles
