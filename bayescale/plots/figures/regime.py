"""Regimes of runs: how fast the excess in each size falls, beside the exponents it could have."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bayescale.forms.regimes import KINDS, Regimes
from bayescale.plots import style

COLOURS = {"resolution": style.BLUE, "variance": style.ORANGE, "floor": style.GREY}
MARKERS = {"resolution": "o", "variance": "s", "floor": "x"}


def regime(found: Regimes) -> Figure:
    """Draw the local exponent of the excess at each run, one panel a size.

    Marks are medians with their 90% interval over the draws not at the floor; the colour is the
    most probable regime. The band is the resolution-limited exponent (90%), the dashed line the
    variance-limited one. Runs at the floor in every draw have no exponent and stand as crosses on
    the lower edge.

    Parameters
    ----------
    found
        What `bayescale.regime` gave.

    Returns
    -------
    matplotlib.figure.Figure
        Axes named after the sizes.
    """
    names, table = list(found.kinds), found.table().reset_index()
    with style.styled():
        figure = style.Plot(2.9 * len(names), 3.2)
        panels = figure.subplots(1, len(names), squeeze=False)[0]
        for axes, name in zip(panels, names, strict=True):
            axes.set_label(name)
            low, middle, high = np.quantile(found.resolution[name], (0.05, 0.5, 0.95))
            axes.axhspan(low, high, color=style.BLUE, alpha=0.18, lw=0, gid="resolution exponent")
            axes.axhline(middle, color=style.BLUE, lw=0.8)
            axes.axhline(
                found.variance[name],
                color=style.ORANGE,
                lw=0.9,
                linestyle=(0, (4, 2)),
                gid="variance exponent",
            )
            rows = table.loc[table["resource"] == name]
            ends = rows[["exponent_q05", "exponent_q95"]].to_numpy()
            seen = np.append(ends[np.isfinite(ends)], [low, high, found.variance[name]])
            room = 0.08 * float(np.ptp(seen))
            axes.set_ylim(float(seen.min()) - room, float(seen.max()) + room)
            for kind in KINDS:
                _marks(axes, kind, rows.loc[rows["regime"] == kind])
            style.log_axis(axes, "x", style.padded(rows["size"].to_numpy()), style.number)
            axes.set_xlabel(name)
        panels[0].set_ylabel("exponent of the excess")
        style.legend_above(figure, _handles(), refused=not found.trusted)
    return figure


def _marks(axes: Axes, kind: str, rows: pd.DataFrame) -> None:
    """Runs of one regime: with an exponent as error bars, without on the lower edge."""
    size, low, middle, high = (
        rows[column].to_numpy(float)
        for column in ("size", "exponent_q05", "exponent_q50", "exponent_q95")
    )
    told = np.isfinite(middle)
    style_of = {"color": COLOURS[kind], "marker": MARKERS[kind], "markersize": 3.5}
    axes.vlines(size[told], low[told], high[told], color=COLOURS[kind], lw=0.7, alpha=0.6)
    axes.plot(size[told], middle[told], linestyle="none", gid=kind, **style_of)
    if not told.all():
        edge = np.full((~told).sum(), axes.get_ylim()[0])
        axes.plot(
            size[~told], edge, linestyle="none", clip_on=False, gid=f"{kind} edge", **style_of
        )


def _handles() -> list[Line2D]:
    def mark(kind: str, label: str) -> Line2D:
        how = {"color": COLOURS[kind], "marker": MARKERS[kind], "markersize": 4}
        return Line2D([], [], linestyle="none", label=label, **how)

    return [
        mark("resolution", "resolution-limited"),
        mark("variance", "variance-limited"),
        mark("floor", "at the floor"),
        Line2D([], [], color=style.BLUE, lw=0.8, label="resolution-limited exponent"),
    ]
