"""The compute-optimal frontier: what to train, and how well, at every budget."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayescale import cost as costs
from bayescale.cost import AbstractCost
from bayescale.errors import UsageError
from bayescale.planning.budget_line import BudgetLine
from bayescale.planning.frontier import QUANTILES, Frontier
from bayescale.planning.limits import Limits
from bayescale.planning.result import Plan
from bayescale.plots import style
from bayescale.plots.subjects import Fitted, chosen
from bayescale.posteriors.abstract import AbstractPosterior
from theory.declaration.symbols import C, N

BUDGETS = 60
"""Budgets along the frontier, beside those of the plan."""

BEYOND = 10.0
"""Multiple of the largest run up to which the frontier is drawn where no budget is given."""

INTERVAL = QUANTILES["q10"], QUANTILES["q90"]
"""Of what is planned."""

BANDS = ((INTERVAL[1] - INTERVAL[0], 0.22), (0.5, 0.35))
"""Probability and opacity of each band, outermost first: the plan's own interval, and half."""


def frontier(
    posterior: Fitted,
    plan: Plan | None = None,
    *,
    compute: float | None = None,
    cost: str | AbstractCost = "6ND",
    group: str | None = None,
    force: bool = False,
) -> Figure:
    """Draw the compute-optimal model size, tokens per parameter, and loss against compute.

    Each is the posterior median of every draw's own optimum with 50% and 80% credible bands, from
    the smallest run's compute to the largest budget. The bands hold what the law may be wrong by
    beyond the runs (`bayescale.models.drift`): they are the intervals of `bayescale.plan`, at
    every budget. The runs are points in the first panel; in the last, a staircase is the lowest
    loss of any run of at most that compute. Beyond the largest run everything is extrapolated: that
    side is shaded. A plan's budgets are dashed lines with, on each, the recommended point and the
    plan's 80% interval.

    Parameters
    ----------
    posterior
        A fitted posterior, a stack, or given draws (then without runs, from a hundredth of the
        largest budget on); of groups, the group named, or the population's centre.
    plan
        A plan from this posterior, to be marked: its limits and its drift are those of the bands.
    compute
        Draw up to this budget, in FLOP; by default up to the plan's largest, or 10 times the
        largest run.
    cost
        What training costs; a cost model or its name in ``bs.cost.COSTS``.
    group
        Which group, where there are several.
    force
        Draw even where the gate refuses; the figure then says so in red.

    Returns
    -------
    matplotlib.figure.Figure
        Axes ``"size"``, ``"ratio"`` and ``"loss"``.

    Raises
    ------
    UsageError
        If the law is not one of N and D, the plan has another cost model, there is neither a
        run nor a budget to draw up to, or there is no such group.
    DiagnosticsRefused
        If the gate refuses and `force` is not given.
    """
    source = chosen(posterior, group)
    source.diagnosis.require(force=force)
    model = costs.get(cost)
    if plan is not None and plan.cost != model:
        raise UsageError(
            f"the plan was made with cost '{plan.cost.name}' and the frontier asks for "
            f"'{model.name}'; pass the plan's."
        )
    _require_sizes(source)
    runs = source.runs
    spent = _spent(runs, model)
    planned = np.array([]) if plan is None else plan.compute
    low, high = _span(spent, planned, compute)
    budgets = np.unique([*np.geomspace(low, high, BUDGETS), *planned])
    line = BudgetLine.of(model, Limits()) if plan is None else plan.line
    optimal = Frontier(source if plan is None else plan.source, line, np.log(budgets))
    optimal.require_balance()
    drawn = _quantities({n: np.exp(log) for n, log in optimal.logs.items()}, optimal.log_drifted)
    with style.styled():
        figure = style.new_figure(5.2, 6.6)
        first, second, last = figure.subplots(
            3, 1, sharex=True, gridspec_kw={"height_ratios": (1.3, 1, 1.2)}
        )
        panels = dict(zip(drawn, (first, second, last), strict=True))
        for name, axes in panels.items():
            axes.set_label(name)
            _draw_bands(axes, budgets, drawn[name])
        if runs is not None:
            first.scatter(
                spent,
                runs["N"],
                s=9,
                color=style.GREY,
                alpha=0.7,
                linewidths=0,
                zorder=2,
                gid="runs",
            )
            _draw_staircase(last, *_best_so_far(spent, runs["loss"].to_numpy()))
        x_limits = style.padded(budgets)
        for name, axes in panels.items():
            _draw_budgets(axes, spent, planned, x_limits)
            if plan is not None:
                _draw_plan(axes, plan, name)
        _finish(panels, drawn, runs, spent, x_limits)
        refused = bool(source.diagnosis.refusals) or (plan is not None and not plan.trusted)
        handles = _handles(spent, planned, high, bare=plan is not None and not _drifts(plan.source))
        title = f"Compute-optimal frontier: {source.origin}"
        style.frame(figure, title, handles, refused=refused)
        figure.align_ylabels([first, second, last])
    return figure


def _require_sizes(source: AbstractPosterior) -> None:
    for law in (post.law for post in source.members.values()):
        if {r.name for r in law.sizes} != {"N", "D"} or len(law.resources) != 2:
            names = ", ".join(r.name for r in law.resources)
            raise UsageError(
                f"the frontier divides a budget between N and D, but law '{law.name}' depends on "
                f"{names}; draw one in N and D, such as 'chinchilla'."
            )


def _drifts(source: AbstractPosterior) -> bool:
    """Whether any law of a source may be wrong by more beyond the runs."""
    return any(post.drifts is not None for post in source.members.values())


def _spent(runs: pd.DataFrame | None, cost: AbstractCost) -> np.ndarray:
    """Compute of each run in FLOP, shape (run,)."""
    if runs is None:
        return np.array([])
    logs = {r.name: np.log(runs[r.name].to_numpy()) for r in cost.resources}
    return np.exp(cost.log_cost(logs))


def _span(spent: np.ndarray, planned: np.ndarray, compute: float | None) -> tuple[float, float]:
    if compute is not None and not (np.isfinite(compute) and compute > 0):
        raise UsageError(f"compute must be a positive number of FLOP; got {compute}.")
    budgets = [*planned] if compute is None else [*planned, compute]
    if spent.size:
        largest = float(spent.max())
        return float(spent.min()), float(
            max([largest, *budgets] if budgets else [BEYOND * largest])
        )
    if not budgets:
        raise UsageError("these draws hold no runs; say with compute= up to which budget to draw.")
    return float(min(budgets)) / 100, float(max(budgets))


def _quantities(sizes: Mapping[str, np.ndarray], log_loss: np.ndarray) -> dict[str, np.ndarray]:
    """What the panels show, each of shape (draw, budget)."""
    return {"size": sizes["N"], "ratio": sizes["D"] / sizes["N"], "loss": np.exp(log_loss)}


def _draw_bands(axes: Axes, budgets: np.ndarray, draws: np.ndarray) -> None:
    for level, alpha in BANDS:
        low, high = np.quantile(draws, (0.5 - level / 2, 0.5 + level / 2), axis=0)
        axes.fill_between(
            budgets,
            low,
            high,
            color=style.BLUE,
            alpha=alpha,
            linewidth=0,
            zorder=3,
            gid=f"band {level:.0%}",
        )
    axes.plot(
        budgets, np.median(draws, axis=0), color=style.BLUE, linewidth=1.0, zorder=4, gid="median"
    )


def _best_so_far(spent: np.ndarray, loss: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute of the runs in order, and the lowest loss up to each."""
    order = np.argsort(spent, kind="stable")
    return spent[order], np.minimum.accumulate(loss[order])


def _draw_staircase(axes: Axes, spent: np.ndarray, best: np.ndarray) -> None:
    axes.step(
        spent,
        best,
        where="post",
        color=style.GREY,
        linewidth=1.0,
        zorder=2,
        gid="best run so far",
    )


def _draw_budgets(
    axes: Axes, spent: np.ndarray, planned: np.ndarray, x_limits: tuple[float, float]
) -> None:
    if spent.size:
        axes.axvline(spent.max(), color=style.INK, linewidth=0.8, zorder=1, gid="largest run")
        axes.axvspan(
            spent.max(), x_limits[1], color=style.SHADE, linewidth=0, zorder=0, gid="extrapolation"
        )
    for budget in planned:
        axes.axvline(
            budget, color=style.ORANGE, linewidth=0.9, linestyle=style.DASHED, zorder=2, gid="plan"
        )


def _draw_plan(axes: Axes, plan: Plan, name: str) -> None:
    low, high = np.quantile(_quantities(plan.resources, np.log(plan.loss))[name], INTERVAL, axis=0)
    advice = plan.recommended
    at = {"size": advice["N"], "ratio": advice["D"] / advice["N"], "loss": advice["loss"]}[name]
    axes.vlines(
        plan.compute, low, high, color=style.ORANGE, linewidth=1.6, zorder=5, gid="plan interval"
    )
    axes.plot(
        plan.compute,
        at.to_numpy(),
        linestyle="none",
        marker="D",
        markersize=4.5,
        color=style.ORANGE,
        markeredgecolor="white",
        markeredgewidth=0.5,
        zorder=6,
        gid="recommended",
    )


def _finish(
    panels: dict[str, Axes],
    drawn: dict[str, np.ndarray],
    runs: pd.DataFrame | None,
    spent: np.ndarray,
    x_limits: tuple[float, float],
) -> None:
    seen = {name: np.quantile(draws, INTERVAL, axis=0) for name, draws in drawn.items()}
    if runs is not None:
        seen["size"] = np.append(seen["size"], runs["N"].to_numpy())
        _, best = _best_so_far(spent, runs["loss"].to_numpy())
        seen["loss"] = np.append(seen["loss"], best)
    style.log_axis(panels["size"], "y", style.padded(seen["size"]), style.number)
    style.log_axis(panels["ratio"], "y", style.padded(seen["ratio"], 0.15), style.number)
    style.log_axis(panels["loss"], "y", style.padded(seen["loss"], 0.08), "{:.3g}".format)
    style.log_axis(panels["loss"], "x", x_limits, style.power_of_ten, style.DECADES)
    panels["size"].set_ylabel(f"optimal ${N.name}$\n({N.unit})")
    panels["ratio"].set_ylabel("optimal $D/N$\n(tokens/parameter)")
    panels["loss"].set_ylabel("optimal loss\n(nats/token)")
    panels["loss"].set_xlabel(style.resource_label(C))


def _handles(spent: np.ndarray, planned: np.ndarray, high: float, *, bare: bool) -> list[Any]:
    credible = "50% and 80% credible" + (", the law as exact" if bare else "")
    handles: list[Any] = [
        Line2D([], [], color=style.BLUE, linewidth=1.0, label="optimum, median"),
        Patch(color=style.BLUE, alpha=0.35, linewidth=0, label=credible),
    ]
    if spent.size:
        dot = {"marker": "o", "markersize": 3.5}
        largest = float(spent.max())
        handles += [
            Line2D([], [], color=style.GREY, linewidth=1.0, label="runs; best loss so far", **dot),
            Line2D([], [], color=style.INK, linewidth=0.8, label="largest run"),
        ]
        if high > 1.01 * largest:
            label = f"extrapolation: {style.number(high / largest)} × the largest run"
            handles.append(Patch(facecolor=style.SHADE, edgecolor=style.SHADE_EDGE, label=label))
    if planned.size:
        diamond = {"marker": "D", "markersize": 4, "linestyle": style.DASHED, "linewidth": 0.9}
        label = "plan: recommended, 80% interval"
        handles.append(Line2D([], [], color=style.ORANGE, label=label, **diamond))
    return handles
