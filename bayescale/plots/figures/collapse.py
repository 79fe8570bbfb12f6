"""The collapse: every run of a table on one scaling function, with the forms that have a name."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayescale.forms.collapse import Collapse, form_curve
from bayescale.plots import style
from theory import laws

DASHES = ((4, 2), (1, 1.5), (6, 2, 1, 2), (3, 1, 1, 1, 1, 1), (8, 3))
"""Dash patterns of the named forms, which must be told apart without colour."""

WIDEST = 2.5
"""Multiple of the band's height up to which runs are shown; beyond they are arrows at the edge."""


def collapse(result: Collapse) -> Figure:
    """Draw the scaling function of a table, and the scaling equation at every run.

    Above, the reducible loss over the larger of the two single-resource losses against their
    ratio: on one curve for all runs where the table obeys the scaling equation. Points are runs
    (at posterior medians), the band is the 90% posterior of the semi-parametric law, lines are the
    named forms at its exponents. Below, ``e_N/alpha_N + e_D/alpha_D`` from local slopes, with two
    standard deviations; the scaling equation is the line at 1.

    Parameters
    ----------
    result
        What `bayescale.collapse` returned.

    Returns
    -------
    matplotlib.figure.Figure
        Axes ``"collapse"`` and ``"equation"``.
    """
    band, points = result.band, result.points
    ratio = np.exp(band["v"].to_numpy())
    with style.styled():
        figure = style.Plot(5.0, 5.6)
        above, below = figure.subplots(2, 1, gridspec_kw={"height_ratios": (1.7, 1)})
        above.set_label("collapse")
        below.set_label("equation")
        above.fill_between(
            ratio, np.exp(band["q05"]), np.exp(band["q95"]), color=style.BLUE, alpha=0.3, lw=0
        )
        above.plot(ratio, np.exp(band["q50"]), color=style.BLUE, gid="posterior")
        drawn = result.posterior.log_parameters
        alpha, beta = (float(np.exp(np.median(drawn[name]))) for name in ("alpha", "beta"))
        handles: list[Any] = [
            Patch(color=style.BLUE, alpha=0.3, label="90% posterior of the scaling function")
        ]
        highest = float(np.exp(band["q95"]).max())
        excluded, inside = (result.forms[key].to_dict() for key in ("excluded", "inside"))
        for name, dashes in zip(excluded, DASHES, strict=False):
            law = laws.get(str(name))
            curve = np.exp(form_curve(law, alpha, beta, band["v"].to_numpy()))
            highest = max(highest, float(curve.max()))
            said = "excluded" if excluded[name] else "inside"
            said = said if excluded[name] or inside[name] else "beyond the prior"
            look = {"color": style.INK, "lw": 0.9, "dashes": dashes}
            above.plot(ratio, curve, gid=f"form {name}", **look)
            handles.append(Line2D([], [], label=f"{name}: {said}", **look))
        ceiling = 1 + WIDEST * (highest - 1) / 2
        heights = np.exp(points["excess"].to_numpy())
        shown = np.isfinite(heights)
        off = shown & (heights > ceiling)
        above.scatter(
            np.exp(points["v"][shown & ~off]),
            heights[shown & ~off],
            s=9,
            color=style.GREY,
            alpha=0.7,
            linewidths=0,
            zorder=1,
            gid="runs",
        )
        above.scatter(
            np.exp(points["v"][off]),
            np.full(off.sum(), ceiling),
            s=16,
            marker="^",
            color=style.ORANGE,
            linewidths=0,
            zorder=3,
            gid="runs beyond",
        )
        style.log_axis(above, "x", style.padded(ratio), style.number)
        above.set_ylim(min(0.9, float(np.nanmin(heights[shown])) * 0.98), ceiling * 1.03)
        above.set_xlabel(r"ratio of the losses limited by $D$ alone and by $N$ alone")
        above.set_ylabel("reducible loss / larger limit")
        table = result.elasticities.dropna()
        compute = points["C"].to_numpy()[table.index]
        below.axhline(1.0, color=style.INK, lw=0.9)
        below.errorbar(
            compute,
            table["sum"],
            yerr=2 * table["sum_sd"],
            fmt="o",
            ms=2.5,
            lw=0.6,
            color=style.GREY,
            zorder=2,
        )
        limits = style.padded(compute)
        style.log_axis(below, "x", limits, style.power_of_ten, style.DECADES)
        below.set_ylim(*np.clip((table["sum"].min() - 0.3, table["sum"].max() + 0.3), -1.0, 3.0))
        below.set_xlabel(r"training compute (FLOP)")
        below.set_ylabel(r"$e_N/\alpha_N + e_D/\alpha_D$")
        style.legend_above(figure, handles, refused=False)
    return figure
