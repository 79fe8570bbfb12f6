"""Regimes of runs: what limits each, and how fast its excess falls beside what it could."""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayescale.forms.regime import regime as find_regimes
from bayescale.forms.regimes import KINDS, Regimes
from bayescale.plots import style
from bayescale.plots.subjects import Fitted, chosen
from theory.declaration.symbols import D, N

COLOURS = {"resolution": style.BLUE, "variance": style.ORANGE, "floor": style.GREY}
MARKERS = {"resolution": "o", "variance": "s", "floor": "x"}
HATCHES = {"resolution": "", "variance": "////", "floor": "...."}
"""So that the regimes are told apart without colour."""

CROWD = 40
"""Of more runs the intervals are drawn as a band and not each as a line."""

BINS = 12
"""Ranges of size, of as many runs each, over which probabilities and intervals are averaged."""


def regime(found: Regimes) -> Figure:
    """Draw what limits the runs, one column a size of the law.

    Above, the local exponent of each run's excess: the median over the draws in which the run is
    not at the floor, its colour and shape the most probable regime, and the 90% interval (of more
    than 40 runs as a band, averaged over ranges of size). The blue line with its band is the
    resolution-limited exponent (90%), the dashed line the variance-limited one. Runs at the floor
    in every draw have no exponent and stand as crosses on the lower edge.

    Below, the posterior probability of each regime, averaged over the runs of a range of size.

    Parameters
    ----------
    found
        What `bayescale.regime` gave.

    Returns
    -------
    matplotlib.figure.Figure
        Axes named after the sizes, and after them with ``" shares"``.
    """
    names, table = list(found.kinds), found.table().reset_index()
    with style.styled():
        figure = style.new_figure(max(3.1 * len(names), 4.4), 5.0)
        grid = figure.subplots(
            2, len(names), squeeze=False, sharex="col", gridspec_kw={"height_ratios": (1.6, 1)}
        )
        edge = 0
        for axes, below, name in zip(*grid, names, strict=True):
            axes.set_label(name)
            below.set_label(f"{name} shares")
            rows = table.loc[table["resource"] == name].sort_values("size", kind="stable")
            edge += int(rows["exponent_q50"].isna().sum())
            _exponents(axes, found, name, rows)
            _shares(below, rows)
            style.log_axis(below, "x", style.padded(rows["size"].to_numpy()), style.number)
            known = {r.name: style.resource_label(r) for r in (N, D)}
            below.set_xlabel(known.get(name, f"${name}$"))
        grid[0, 0].set_ylabel("local exponent of the excess\n(dimensionless)")
        grid[1, 0].set_ylabel("probability\nof the regime")
        title = f"What limits the runs: {found.origin or f'{len(found.runs)} runs'}"
        handles = _handles(found, len(found.runs) > CROWD, edge)
        style.frame(figure, title, handles, refused=not found.trusted)
        figure.align_ylabels(list(grid[:, 0]))
    return figure


def subject(source: Fitted, *, group: str | None = None, force: bool = False) -> Regimes:
    """The regimes of a posterior's own runs."""
    return find_regimes(chosen(source, group), force=force)


def _exponents(axes: Axes, found: Regimes, name: str, rows: pd.DataFrame) -> None:
    low, middle, high = np.quantile(found.resolution[name], (0.05, 0.5, 0.95))
    axes.axhspan(low, high, color=style.BLUE, alpha=0.18, lw=0, gid="resolution exponent")
    axes.axhline(middle, color=style.BLUE, lw=0.8)
    variance = found.variance[name]
    axes.axhline(
        variance, color=style.ORANGE, lw=0.9, linestyle=style.DASHED, gid="variance exponent"
    )
    ends = rows[["exponent_q05", "exponent_q95"]].to_numpy()
    seen = np.append(ends[np.isfinite(ends)], [low, high, variance])
    room = 0.08 * float(np.ptp(seen))
    axes.set_ylim(float(seen.min()) - room, float(seen.max()) + room)
    crowd = len(found.runs) > CROWD
    if crowd:
        told = rows.dropna(subset=["exponent_q50"])
        parts = _parts(len(told))
        at, lower, upper = (
            np.array([float(np.mean(told[column].iloc[part])) for part in parts])
            for column in ("size", "exponent_q05", "exponent_q95")
        )
        axes.fill_between(at, lower, upper, color=style.GREY, alpha=0.3, lw=0, gid="intervals")
    for kind in KINDS:
        _marks(axes, kind, rows.loc[rows["regime"] == kind], crowd)


def _parts(count: int) -> list[slice]:
    """Ranges of as many runs each, in the order of size."""
    ends = np.unique(np.linspace(0, count, min(BINS, count) + 1).round().astype(int))
    return [slice(int(a), int(b)) for a, b in pairwise(ends)]


def _marks(axes: Axes, kind: str, rows: pd.DataFrame, crowd: bool) -> None:
    """Runs of one regime: with an exponent at it, without on the lower edge."""
    size, low, middle, high = (
        rows[column].to_numpy(float)
        for column in ("size", "exponent_q05", "exponent_q50", "exponent_q95")
    )
    told = np.isfinite(middle)
    how: dict[str, Any] = {"color": COLOURS[kind], "marker": MARKERS[kind], "linestyle": "none"}
    how |= {"markersize": 2.5 if crowd else 3.5, "alpha": 0.6 if crowd else 1.0}
    if not crowd:
        axes.vlines(size[told], low[told], high[told], color=COLOURS[kind], lw=0.7, alpha=0.6)
    axes.plot(size[told], middle[told], gid=kind, **how)
    if not told.all():
        edge = np.full((~told).sum(), axes.get_ylim()[0])
        axes.plot(size[~told], edge, clip_on=False, gid=f"{kind} edge", **how)


def _shares(axes: Axes, rows: pd.DataFrame) -> None:
    """Probabilities of the regimes over ranges of size, one above the other."""
    size = rows["size"].to_numpy(float)
    parts = _parts(len(size))
    inner = [float(np.sqrt(size[part.start - 1] * size[part.start])) for part in parts[1:]]
    ends = np.array([size[0], *inner, size[-1]])
    if ends[0] == ends[-1]:  # all runs are of one size
        ends = ends[0] * np.geomspace(0.9, 1.1, len(ends))
    base = np.zeros(len(parts))
    for kind in KINDS:
        height = np.array([float(rows[kind].iloc[part].mean()) for part in parts])
        axes.bar(
            ends[:-1],
            height,
            width=np.diff(ends),
            bottom=base,
            align="edge",
            color=COLOURS[kind],
            alpha=0.55,
            hatch=HATCHES[kind],
            edgecolor="white",
            linewidth=0.4,
            gid=f"share {kind}",
        )
        base = base + height
    axes.set_ylim(0, 1)


def _handles(found: Regimes, crowd: bool, edge: int) -> list[Any]:
    told = {"resolution": "resolution-limited", "variance": "variance-limited", "floor": "floor"}
    handles: list[Any] = []
    for kind, label in told.items():
        how: dict[str, Any] = {"color": COLOURS[kind], "marker": MARKERS[kind], "markersize": 4}
        if kind == "floor":
            label = f"at the floor (more takes off < {found.negligible:.2g} of the loss)"
            if edge:
                label += f"; {edge} without exponent, at the edge"
        handles.append(Line2D([], [], linestyle="none", label=label, **how))
    handles += [
        Line2D([], [], color=style.BLUE, lw=0.8, label="resolution-limited exponent, 90% band"),
        Line2D(
            [],
            [],
            color=style.ORANGE,
            lw=0.9,
            linestyle=style.DASHED,
            label="variance-limited exponent",
        ),
    ]
    if crowd:
        label = "90% intervals of the runs"
        handles.append(Patch(color=style.GREY, alpha=0.3, linewidth=0, label=label))
    handles += [
        Patch(
            facecolor=COLOURS[kind], alpha=0.55, hatch=HATCHES[kind], edgecolor="white", label=label
        )
        for kind, label in (
            ("resolution", "probability: resolution"),
            ("variance", "probability: variance"),
            ("floor", "probability: floor"),
        )
    ]
    return handles
