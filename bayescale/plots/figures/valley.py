"""The valley: how little model size matters near the optimum of one budget."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayescale.cost import AbstractCost
from bayescale.errors import UsageError
from bayescale.planning.allocation import losses_at
from bayescale.planning.plan import plan as make_plan
from bayescale.planning.result import Plan
from bayescale.plots import style
from bayescale.plots.subjects import Fitted, chosen
from theory.declaration.symbols import N

POINTS = 121
"""Sizes along the line."""

WIDE = 8.0
"""Factor of N to either side of the recommended choice."""

BANDS = ((0.9, 0.22), (0.5, 0.35))
"""Probability and opacity of each band, outermost first."""

MILLI = 1e3
"""Regret is written in thousandths of a nat."""


def valley(plan: Plan, budget: int = -1) -> Figure:
    """Draw loss and regret against model size at one budget.

    In the first panel the median loss with its 50% and 90% bands, which hold what the law may be
    wrong by; in the second the regret, the loss above the optimum of the same draw by the law
    alone. The range of N that costs less than 1% extra compute is shaded; the recommended choice
    is a diamond, and the user's own plan, where the plan holds one, a cross.

    Parameters
    ----------
    plan
        A plan with a cost in N and D.
    budget
        Which of its budgets; the last by default.

    Returns
    -------
    matplotlib.figure.Figure
        Axes ``"loss"`` and ``"regret"``.

    Raises
    ------
    UsageError
        If the plan holds no such budget, or its cost is not one of N and D.
    """
    count = len(plan.compute)
    if not -count <= budget < count:
        raise UsageError(f"the plan holds {count} budgets; there is no number {budget}.")
    table = plan.valley()
    one, row = plan.recommended.iloc[budget], table.iloc[budget]
    log_budget = float(np.log(plan.compute[budget]))
    sizes = _sizes(plan, log_budget, float(one["N"]))
    log_data = plan.line.log_data(np.log(sizes), np.full(sizes.shape, log_budget))
    best = plan.frontier.least[:, [budget]]
    log_size = np.log(sizes)
    loss = np.exp(losses_at(plan.source, plan.line, log_size, log_data, drift=True))
    bare = np.exp(losses_at(plan.source, plan.line, log_size, log_data, drift=False))
    regret = MILLI * (bare - best)
    with style.styled():
        figure = style.new_figure(5.2, 5.4)
        above, below = figure.subplots(2, 1, sharex=True)
        for axes, name, draws in ((above, "loss", loss), (below, "regret", regret)):
            axes.set_label(name)
            for level, alpha in BANDS:
                low, high = np.quantile(draws, (0.5 - level / 2, 0.5 + level / 2), axis=0)
                axes.fill_between(
                    sizes, low, high, color=style.BLUE, alpha=alpha, lw=0, gid=f"band {level:.0%}"
                )
            median = np.median(draws, axis=0)
            axes.plot(sizes, median, color=style.BLUE, linewidth=1.0, gid="median")
            axes.axvspan(
                row["N_low"], row["N_high"], color=style.SHADE, linewidth=0, zorder=0, gid="valley"
            )
            _mark(axes, sizes, median, float(one["N"]), "D", "recommended")
            if plan.present is not None:
                _mark(axes, sizes, median, float(plan.present.size[budget]), "X", "present")
        # The steep ends would hide the valley.
        near = (sizes > row["N_low"] / 3) & (sizes < row["N_high"] * 3)
        top = float(np.quantile(regret[:, near], 0.95, axis=0).max())
        below.set_ylim(0, 1.05 * (top if top > 0 else max(float(regret.max()), 1.0)))
        seen = np.quantile(loss[:, near], (0.05, 0.95), axis=0)
        style.log_axis(above, "y", style.padded(seen, 0.08), "{:.4g}".format)
        style.log_axis(below, "x", (float(sizes[0]), float(sizes[-1])), style.number)
        above.set_ylabel("loss (nats/token)")
        below.set_ylabel("regret (0.001 nats/token)")
        below.set_xlabel(style.resource_label(N))
        handles = [
            Line2D([], [], color=style.BLUE, linewidth=1.0, label="median at this budget"),
            Patch(color=style.BLUE, alpha=0.35, linewidth=0, label="50% and 90% credible"),
            Patch(
                facecolor=style.SHADE,
                edgecolor=style.SHADE_EDGE,
                label="less than 1% extra compute",
            ),
            _handle("D", f"recommended at {style.power_of_ten(plan.compute[budget])} FLOP"),
        ]
        if plan.present is not None:
            handles.append(_handle("X", "present plan"))
        title = f"Loss against model size at one budget: {plan.source.origin}"
        style.frame(figure, title, handles, refused=not plan.trusted)
        figure.align_ylabels([above, below])
    return figure


def subject(
    source: Fitted,
    *,
    compute: float | Sequence[float],
    cost: str | AbstractCost = "6ND",
    group: str | None = None,
    drift: bool = True,
    force: bool = False,
) -> Plan:
    """The plan of a budget, or of several of which the last is drawn."""
    return make_plan(chosen(source, group), compute, cost=cost, drift=drift, force=force)


def _sizes(plan: Plan, log_budget: float, centre: float) -> np.ndarray:
    if plan.line.sizes:
        return np.exp(plan.line.allowed(log_budget))
    low, high = (float(end[0]) for end in plan.line.span(np.array([log_budget])))
    middle = np.log(centre)
    ends = max(low, middle - np.log(WIDE)), min(high, middle + np.log(WIDE))
    return np.exp(np.linspace(*ends, POINTS))


def _mark(
    axes: Axes, sizes: np.ndarray, median: np.ndarray, size: float, marker: str, gid: str
) -> None:
    if not sizes[0] <= size <= sizes[-1]:
        return
    height = float(np.interp(np.log(size), np.log(sizes), median))
    axes.plot(
        [size],
        [height],
        linestyle="none",
        marker=marker,
        markersize=6,
        color=style.ORANGE,
        markeredgecolor="white",
        markeredgewidth=0.6,
        zorder=6,
        gid=gid,
    )


def _handle(marker: str, label: str) -> Line2D:
    return Line2D(
        [], [], color=style.ORANGE, linestyle="none", marker=marker, markersize=5, label=label
    )
