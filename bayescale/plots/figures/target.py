"""The risk of a target: what loss a budget reaches, and with what probability it is enough."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayescale.errors import UsageError
from bayescale.planning.objectives.median import Median
from bayescale.planning.result import Plan
from bayescale.planning.targets import reach
from bayescale.plots import style
from theory.declaration.symbols import C

BUDGETS = 60
"""Budgets along the axis."""

AROUND = 30.0
"""Factor below the least and above the largest budget that is marked."""

BANDS = ((0.9, 0.22), (0.5, 0.35))
"""Probability and opacity of each band, outermost first."""

COLOURS = (style.ORANGE, "#009e73", "#cc79a7", style.INK, style.GREY)


def target(plan: Plan) -> Figure:
    """Draw the loss that a budget reaches, and the probability that it reaches each target.

    In the first panel the median loss of the recommended allocation with its 50% and 90% bands,
    and the targets as horizontal lines; in the second the probability of each target against
    compute, with a diamond at the budget for the confidence asked. The sizes along the axis are
    the medians of the optimal N: the loss is flat in them.

    Parameters
    ----------
    plan
        A plan for targets.

    Returns
    -------
    matplotlib.figure.Figure
        Axes ``"loss"`` and ``"probability"``.

    Raises
    ------
    UsageError
        If the plan was not made for a target, or no budget reaches any of its targets at all.
    """
    asked = plan.targets
    if asked is None:
        raise UsageError("this plan has no target; make it with bayescale.plan(..., target=...).")
    marked = np.append(asked.compute, np.quantile(asked.needed, 0.5, axis=0, method="lower"))
    marked = marked[np.isfinite(marked)]
    if not marked.size:
        raise UsageError(
            "no budget reaches any of these targets even in half of the draws, so there is no "
            "range of compute to draw; ask for a higher loss."
        )
    budgets = np.geomspace(marked.min() / AROUND, marked.max() * AROUND, BUDGETS)
    loss = np.exp(reach(plan.frontier.at(np.log(budgets)), Median()))
    with style.styled():
        figure = style.Plot(5.0, 4.8)
        above, below = figure.subplots(2, 1, sharex=True)
        above.set_label("loss")
        below.set_label("probability")
        for level, alpha in BANDS:
            low, high = np.quantile(loss, (0.5 - level / 2, 0.5 + level / 2), axis=0)
            above.fill_between(
                budgets, low, high, color=style.BLUE, alpha=alpha, lw=0, gid=f"band {level:.0%}"
            )
        above.plot(budgets, np.median(loss, axis=0), color=style.BLUE, lw=1.0, gid="median")
        handles = [
            Line2D([], [], color=style.BLUE, linewidth=1.0, label="median"),
            Patch(color=style.BLUE, alpha=0.35, linewidth=0, label="50% and 90% credible"),
        ]
        for i, (wanted, compute) in enumerate(zip(asked.loss, asked.compute, strict=True)):
            colour = COLOURS[i % len(COLOURS)]
            above.axhline(wanted, color=colour, lw=0.9, linestyle=(0, (4, 2)), gid="target")
            reached = np.mean(loss <= wanted, axis=0)
            below.plot(budgets, reached, color=colour, lw=1.3, gid="probability")
            label = f"target {wanted:g}"
            if np.isfinite(compute):
                diamond = {"marker": "D", "markersize": 5, "color": colour}
                below.plot([compute], [asked.confidence], linestyle="none", **diamond)
                label += f": {style.power_of_ten(float(f'{compute:.3g}'))} FLOP"
            handles.append(Line2D([], [], color=colour, linewidth=1.3, label=label))
        below.axhline(asked.confidence, color=style.INK, lw=0.6, gid="confidence")
        below.set_ylim(-0.02, 1.02)
        seen = np.append(np.quantile(loss, (0.05, 0.95), axis=0), asked.loss)
        style.log_axis(above, "y", style.padded(seen, 0.08), "{:.3g}".format)
        ends = (float(budgets[0]), float(budgets[-1]))
        style.log_axis(below, "x", ends, style.power_of_ten, style.DECADES)
        above.set_ylabel("loss (nats/token)")
        below.set_ylabel(f"probability of the target\n(line: {asked.confidence:g})")
        below.set_xlabel(style.resource_label(C))
        style.legend_above(figure, handles, refused=not plan.trusted)
        figure.align_ylabels([above, below])
    return figure
