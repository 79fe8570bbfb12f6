"""The collapse: every run of a table on one scaling function, with the forms that have a name."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayescale.forms.collapse import Collapse, form_curve
from bayescale.forms.collapse import collapse as find_collapse
from bayescale.plots import style
from bayescale.plots.subjects import Fitted, chosen, observed
from theory import laws
from theory.declaration.symbols import C

DASHES = ((4, 2), (1, 1.5), (6, 2, 1, 2), (3, 1, 1, 1, 1, 1), (8, 3))
"""Dash patterns of the named forms, which must be told apart without colour."""

CROWD = 100
"""Error bars of more runs are fainter."""

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
        figure = style.new_figure(5.4, 7.0)
        above, below = figure.subplots(2, 1, gridspec_kw={"height_ratios": (1.7, 1)})
        above.set_label("collapse")
        below.set_label("equation")
        above.fill_between(
            ratio,
            np.exp(band["q05"]),
            np.exp(band["q95"]),
            color=style.BLUE,
            alpha=0.3,
            lw=0,
            gid="band",
        )
        above.plot(ratio, np.exp(band["q50"]), color=style.BLUE, gid="posterior")
        drawn = result.posterior.log_parameters
        alpha, beta = (float(np.exp(np.median(drawn[name]))) for name in ("alpha", "beta"))
        handles: list[Any] = [
            Line2D([], [], color=style.BLUE, label="scaling function, median"),
            Patch(color=style.BLUE, alpha=0.3, linewidth=0, label="its 90% posterior"),
        ]
        highest = float(np.exp(band["q95"]).max())
        excluded, inside = (result.forms[key].to_dict() for key in ("excluded", "inside"))
        for index, name in enumerate(excluded):
            dashes = DASHES[index % len(DASHES)]
            width = 0.9 + 0.5 * (index // len(DASHES))
            law = laws.get(str(name))
            curve = np.exp(form_curve(law, alpha, beta, band["v"].to_numpy()))
            highest = max(highest, float(curve.max()))
            said = "excluded" if excluded[name] else "inside"
            said = said if excluded[name] or inside[name] else "beyond the prior"
            look = {"color": style.INK, "lw": width, "dashes": dashes}
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
        above.set_xlabel(r"loss limited by $D$ alone / loss limited by $N$ alone (dimensionless)")
        above.set_ylabel("reducible loss / the larger of\nthe two limits (dimensionless)")
        table = result.elasticities.dropna()
        compute = points["C"].to_numpy()[table.index]
        below.axhline(1.0, color=style.INK, lw=0.9, gid="scaling equation")
        below.errorbar(
            compute,
            table["sum"],
            yerr=2 * table["sum_sd"],
            fmt="o",
            ms=2.5,
            lw=0.6,
            alpha=1.0 if len(table) <= CROWD else 0.5,
            color=style.GREY,
            zorder=2,
        )
        limits = style.padded(compute)
        style.log_axis(below, "x", limits, style.power_of_ten, style.DECADES)
        least, most = (float(end) for end in np.clip(np.quantile(table["sum"], (0, 1)), -0.7, 2.7))
        sums = table["sum"].to_numpy()
        beyond = int(np.sum((sums < least) | (sums > most)))
        below.set_ylim(min(least, 1.0) - 0.3, max(most, 1.0) + 0.3)
        below.set_xlabel(style.resource_label(C))
        below.set_ylabel("$e_N/\\alpha_N + e_D/\\alpha_D$\n(dimensionless)")
        p_value = result.scaling_p
        told = f"= {p_value:.2f}" if p_value >= 0.01 else "< 0.01"
        hidden = f"; {beyond} off the scale" if beyond else ""
        handles += [
            Line2D(
                [],
                [],
                color=style.GREY,
                marker="o",
                markersize=3,
                linewidth=0.6,
                label=f"run (below: $\\pm$ 2 sd{hidden})",
            ),
            Line2D([], [], color=style.INK, lw=0.9, label=f"scaling equation (p {told})"),
        ]
        if off.any():
            mark: dict[str, Any] = {"marker": "^", "linestyle": "none", "markersize": 4}
            label = f"run above the scale ({off.sum()})"
            handles.append(Line2D([], [], color=style.ORANGE, label=label, **mark))
        if (~shown).any():
            label = f"not shown: {(~shown).sum()} runs below the floor"
            handles.append(Line2D([], [], linestyle="none", label=label))
        title = f"Collapse on one scaling function: {result.posterior.origin}"
        refused = bool(result.posterior.diagnosis.refusals)
        style.frame(figure, title, handles, refused=refused)
    return figure


def subject(source: Fitted, *, group: str | None = None, seed: int | None = None) -> Collapse:
    """The collapse of a posterior's runs, for which the semi-parametric law is fitted to them."""
    found = chosen(source, group)
    return find_collapse(observed(found), seed=found.seed if seed is None else seed)
