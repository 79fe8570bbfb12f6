"""The risk of a target: what loss a budget reaches, and with what probability it is enough."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayescale.cost import AbstractCost
from bayescale.errors import UsageError
from bayescale.planning.objectives.median import Median
from bayescale.planning.plan import plan as make_plan
from bayescale.planning.result import Plan
from bayescale.planning.targets import Targets, reach
from bayescale.plots import style
from bayescale.plots.subjects import Fitted, chosen
from theory.declaration.symbols import C

BUDGETS = 160
"""Budgets along the axis."""

AROUND = 30.0
"""Factor below the least and above the largest budget that is marked."""

BANDS = ((0.9, 0.22), (0.5, 0.35))
"""Probability and opacity of each band, outermost first."""

LOOKS = (*style.LOOKS[1:], (style.INK, "D", "-"))
"""Of each target: the blue is the posterior's."""


def target(plan: Plan) -> Figure:
    """Draw the loss that a budget reaches, and the probability that it reaches each target.

    Above, the median loss of the recommended allocation with its 50% and 90% bands, which hold
    what the law may be wrong by beyond the runs, and each target as a horizontal line. Below, the
    probability that a budget reaches each target. The mark of a target stands, in both, at the
    least budget that reaches it with the confidence asked; it is hollow, at the surest budget,
    where none does. Beyond the largest run everything is extrapolated: that side is shaded. The
    sizes along the axis are the medians of the optimal N: the loss is flat in them.

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
    middle = np.median(loss, axis=0)
    ends = (float(budgets[0]), float(budgets[-1]))
    with style.styled():
        figure = style.new_figure(5.2, 5.8)
        above, below = figure.subplots(2, 1, sharex=True)
        above.set_label("loss")
        below.set_label("probability")
        for level, alpha in BANDS:
            low, high = np.quantile(loss, (0.5 - level / 2, 0.5 + level / 2), axis=0)
            above.fill_between(
                budgets, low, high, color=style.BLUE, alpha=alpha, lw=0, gid=f"band {level:.0%}"
            )
        above.plot(budgets, middle, color=style.BLUE, lw=1.0, gid="median")
        handles: list[Any] = [
            Line2D([], [], color=style.BLUE, linewidth=1.0, label="loss reached, median"),
            Patch(color=style.BLUE, alpha=0.35, linewidth=0, label="50% and 90% credible"),
        ]
        for i, wanted in enumerate(asked.loss):
            colour, marker, dashes = LOOKS[i % len(LOOKS)]
            look: dict[str, Any] = {"color": colour, "linestyle": dashes}
            above.axhline(wanted, lw=0.9, gid="target", **look)
            reached = np.mean(loss <= wanted, axis=0)
            below.plot(budgets, reached, lw=1.3, gid="probability", **look)
            budget, odds, told = _at(asked, i)
            if np.isfinite(budget):
                face = colour if np.isfinite(asked.compute[i]) else "white"
                spot: dict[str, Any] = {"color": colour, "markerfacecolor": face, "zorder": 5}
                spot |= {"marker": marker, "markersize": 5, "linestyle": "none"}
                below.plot([budget], [odds], gid="budget", **spot)
                above.plot([budget], [wanted], gid="budget", **spot)
                look |= {"marker": marker, "markersize": 5, "markerfacecolor": face}
            handles.append(Line2D([], [], linewidth=1.3, label=told, **look))
        below.axhline(asked.confidence, color=style.INK, lw=0.7, gid="confidence")
        label = f"confidence asked ({asked.confidence:g})"
        handles.append(Line2D([], [], color=style.INK, lw=0.7, label=label))
        handles += _beyond((above, below), plan, ends)
        below.set_ylim(-0.02, 1.02)
        seen = np.append(np.quantile(loss, (0.05, 0.95), axis=0), asked.loss)
        style.log_axis(above, "y", style.padded(seen, 0.08), "{:.3g}".format)
        style.log_axis(below, "x", ends, style.power_of_ten, style.DECADES)
        above.set_ylabel("loss (nats/token)")
        below.set_ylabel("probability that the\ntarget is reached")
        below.set_xlabel(style.resource_label(C))
        title = f"What a target takes: {plan.source.origin}"
        style.frame(figure, title, handles, refused=not plan.trusted, columns=1)
        figure.align_ylabels([above, below])
    return figure


def subject(
    source: Fitted,
    *,
    target: float | Sequence[float],
    confidence: float = 0.9,
    cost: str | AbstractCost = "6ND",
    group: str | None = None,
    drift: bool = True,
    force: bool = False,
) -> Plan:
    """The plan for a target, or for several."""
    return make_plan(
        chosen(source, group),
        target=target,
        confidence=confidence,
        cost=cost,
        drift=drift,
        force=force,
    )


def _at(asked: Targets, i: int) -> tuple[float, float, str]:
    """Where the mark of a target stands, at what probability, and what the legend says."""
    wanted, budget = asked.loss[i], float(asked.compute[i])
    if np.isfinite(budget):
        told = f"target {wanted:g}: reached with {asked.confidence:.0%} at {_flop(budget)}"
        return budget, asked.confidence, told
    best, odds = float(asked.best[i]), float(asked.reached[i])
    if np.isfinite(best):
        return best, odds, f"target {wanted:g}: with {odds:.0%} at most, at {_flop(best)}"
    return best, odds, f"target {wanted:g}: reached by no budget"


def _flop(budget: float) -> str:
    return f"{style.power_of_ten(float(f'{budget:.3g}'))} FLOP"


def _beyond(panels: tuple[Axes, ...], plan: Plan, ends: tuple[float, float]) -> list[Any]:
    """Shade what lies beyond the largest run, and return what the legend says of it."""
    runs = plan.source.runs
    if runs is None or not {"N", "D"} <= set(runs):
        return []
    logs = {r.name: np.log(runs[r.name].to_numpy()) for r in plan.cost.resources}
    largest = float(np.exp(np.max(plan.cost.log_cost(logs))))
    if largest >= ends[1]:
        return []
    for axes in panels:
        start = max(largest, ends[0])
        axes.axvspan(start, ends[1], color=style.SHADE, lw=0, zorder=0, gid="extrapolation")
    label = f"beyond the largest run ({_flop(largest)})"
    return [Patch(facecolor=style.SHADE, edgecolor=style.SHADE_EDGE, label=label)]
