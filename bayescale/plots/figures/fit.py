"""The fit: loss against compute, runs beside the law, and what is left over."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from bayescale import cost as costs
from bayescale.cost import AbstractCost
from bayescale.errors import UsageError
from bayescale.plots import style
from bayescale.plots.subjects import Fitted, groups_of, one_law
from bayescale.plots.view import View
from bayescale.posteriors.groups import GroupPosterior
from bayescale.posteriors.posterior import Posterior
from bayescale.posteriors.thinning import thin

MOST = 4_000_000
"""Draws times runs held at once; beyond, draws are thinned."""


RINGED = 30
"""So many outliers have a ring each; more would hide the runs, and are small dots."""

PANELS = 12
"""Most groups drawn, a panel each: those with the most runs."""


def fit(
    posterior: Fitted,
    *,
    cost: str | AbstractCost = "6ND",
    curves: int | Sequence[float] | np.ndarray = 5,
    level: float = 0.9,
    seed: int | None = None,
    group: str | None = None,
    force: bool = False,
) -> Figure:
    """Draw the runs and the law fitted to them: loss against compute, and the residuals.

    Above: each run as a point, coloured by model size; for some model sizes the posterior median
    of the loss over the range of the data, with the band in which a new run of that size falls
    with probability `level` (its own scatter included). Below: the log residual of each run from
    the posterior median, in percent, over the band of a new run. A law in one resource is drawn
    against that resource, with one curve and no colours.

    A run has a ring where it is an outlier more likely than not, by the likelihood's own definition
    (`Posterior.outliers`); where there are more than 30 they are counted and have orange dots. A
    residual off the scale is drawn as a triangle at the edge. Groups have a panel each, of loss
    against compute, in which the law is that group's.

    Parameters
    ----------
    posterior
        A fitted posterior of one law.
    cost
        What training costs, for the compute axis; a cost model or its name in ``bs.cost.COSTS``.
    curves
        How many model sizes to draw the law at (the runs nearest to equal steps of log size), or
        those sizes themselves, in parameters.
    level
        Probability of the band, between 0 and 1.
    seed
        Seed of the scatter of new runs; the fit's own by default.
    group
        Of groups, the one to draw alone, with its residuals.
    force
        Draw even where the gate refuses; the figure then says so in red.

    Returns
    -------
    matplotlib.figure.Figure
        Axes ``"loss"`` and ``"residual"``, and ``"size"`` for the colour bar; of groups, an axes
        named after each.

    Raises
    ------
    UsageError
        If the posterior holds no runs or several laws, the law's resources are not the cost's, or
        an option is out of its range.
    DiagnosticsRefused
        If the gate refuses and `force` is not given.
    """
    posterior.diagnosis.require(force=force)
    if not 0 < level < 1:
        raise UsageError(f"level is a probability between 0 and 1; got {level}.")
    several = groups_of(posterior)
    if several is not None and group is None:
        return _draw_groups(several, costs.get(cost), curves, level, seed)
    return _draw_one(one_law(posterior, group), costs.get(cost), curves, level, seed)


Curves = int | Sequence[float] | np.ndarray


def _draw_one(
    posterior: Posterior, cost: AbstractCost, curves: Curves, level: float, seed: int | None
) -> Figure:
    view = View.of(posterior, cost)
    residual = log_residuals(posterior, view.runs)
    outlying = view.outlying
    with style.styled():
        figure = style.new_figure(6.0, 5.2)
        grid = figure.add_gridspec(2, 1, height_ratios=(3.4, 1.0))
        above = figure.add_subplot(grid[0], label="loss")
        below = figure.add_subplot(grid[1], label="residual", sharex=above)
        seen = _draw_curves(above, view, view.sizes(curves), level, seed)
        _draw_runs(above, view, outlying, seen)
        off = _draw_residuals(below, view, residual, outlying, level, seed)
        if view.sized:
            _draw_colour_bar(figure, (above, below), view, view.sizes(curves))
        above.tick_params(labelbottom=False)
        handles = _handles(view, level, len(view.sizes(curves)), int(outlying.sum()), off)
        refused = bool(posterior.diagnosis.refusals)
        style.frame(figure, f"Runs and fit: {posterior.origin}", handles, refused=refused)
        figure.align_ylabels([above, below])
    return figure


def _draw_groups(
    groups: GroupPosterior, cost: AbstractCost, curves: Curves, level: float, seed: int | None
) -> Figure:
    """A panel a group: its runs and its law."""
    views = [View.of(groups.group(name), cost) for name in groups.groups]
    named = dict(zip(groups.groups, views, strict=True))
    most = sorted(named, key=lambda name: -len(named[name].runs))[:PANELS]
    shown = {name: view for name, view in named.items() if name in most}
    every = np.concatenate([view.size for view in shown.values()]) if views[0].sized else None
    across = min(3, len(shown))
    down = -(-len(shown) // across)
    outliers, lines = 0, 0
    with style.styled():
        figure = style.new_figure(max(2.4 * across + 0.8, 4.6), 2.0 * down + 1.3)
        panels = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
        x, y = [], []
        for axes, (name, view) in zip(panels.flat, shown.items(), strict=False):
            view = replace(view, among=every)
            axes.set_label(name)
            axes.set_title(f"{name} ({len(view.runs)} runs)", loc="left", parse_math=False)
            sizes = view.sizes(curves)
            seen = _draw_curves(axes, view, sizes, level, seed)
            _draw_runs(axes, view, view.outlying, seen)
            outliers, lines = outliers + int(view.outlying.sum()), max(lines, len(sizes))
            x, y = [*x, *view.x_limits], [*y, *axes.get_ylim()]
        first = next(iter(shown.values()))
        style.log_axis(panels[0, 0], "x", (min(x), max(x)), *first.x_ticks)
        style.log_axis(panels[0, 0], "y", (min(y), max(y)), "{:.3g}".format)
        for axes in panels.flat[len(shown) :]:
            axes.remove()
        for index, axes in enumerate(panels.flat[: len(shown)]):
            axes.label_outer(remove_inner_ticks=False)
            if index + across >= len(shown):
                axes.tick_params(labelbottom=True)
                axes.set_xlabel(first.x_label)
            axes.set_ylabel("loss (nats/token)" if index % across == 0 else "")
        if first.sized:
            bar_of = replace(first, among=every)
            _draw_colour_bar(figure, tuple(panels.flat[: len(shown)]), bar_of, ())
        cut = "" if len(shown) == len(named) else f"; the {len(shown)} with the most runs"
        told = f"Runs and fit of {len(named)} groups{cut}: {groups.joint.origin}"
        handles = _handles(first, level, lines, outliers, 0, marked=False)
        style.frame(figure, told, handles, refused=bool(groups.diagnosis.refusals))
    return figure


def log_residuals(posterior: Posterior, runs: pd.DataFrame) -> Float[np.ndarray, " run"]:
    """Log loss of each run less the posterior median of the law's."""
    thinned = thin(posterior, max(MOST // len(runs), 100))
    resources: dict[str, Any] = {r.name: runs[r.name].to_numpy() for r in posterior.law.resources}
    fitted = thinned.predict(force=True, **resources).draws
    return np.log(runs["loss"].to_numpy()) - np.log(np.median(fitted, axis=0))


def _draw_curves(
    axes: Axes, view: View, sizes: Sequence[float], level: float, seed: int | None
) -> np.ndarray:
    """Draw the law at some sizes, and return the losses within its bands."""
    seen = []
    held = view.law.resources[0].name
    for size in sizes:
        points = view.sweep(size)
        x, colour = view.x(points), view.colour(size)
        fitted = view.posterior.predict(force=True, **points).draws
        low, high = _new_runs(view.posterior, points, level, seed)
        where = f"{held}={style.number(size)}" if view.sized else "all runs"
        axes.fill_between(
            x, low, high, color=colour, alpha=0.25, linewidth=0, zorder=1, gid=f"band {where}"
        )
        axes.plot(x, np.median(fitted, axis=0), color=colour, zorder=2, gid=f"median {where}")
        seen += [low, high]
    return np.concatenate(seen)


def _new_runs(
    posterior: Posterior, points: dict[str, Any], level: float, seed: int | None
) -> Float[np.ndarray, "end point"]:
    """Ends of the central predictive interval of a new run's loss.

    One point at a time from one seed: with common random numbers the ends move smoothly.
    """
    tails = (0.5 - level / 2, 0.5 + level / 2)
    ends = []
    for values in zip(*points.values(), strict=True):
        at: dict[str, Any] = dict(zip(points, values, strict=True))
        new = posterior.predict(noise=True, seed=seed, force=True, **at)
        ends.append(np.quantile(new.draws[:, 0], tails))
    return np.stack(ends, axis=1)


def _draw_runs(axes: Axes, view: View, outlying: np.ndarray, seen: np.ndarray) -> None:
    x, loss = view.x(view.runs), view.runs["loss"].to_numpy()
    _scatter(axes, x, loss, view, gid="runs")
    _ring(axes, x[outlying], loss[outlying], gid="outliers")
    style.log_axis(axes, "x", view.x_limits, *view.x_ticks)
    style.log_axis(axes, "y", style.padded(np.append(loss, seen), 0.03), "{:.3g}".format)
    axes.set_ylabel("loss (nats/token)")


def _draw_residuals(
    axes: Axes,
    view: View,
    residual: np.ndarray,
    outlying: np.ndarray,
    level: float,
    seed: int | None,
) -> int:
    """Draw the residuals and return how many are off the scale."""
    percent = 100 * residual
    middle: dict[str, Any] = {
        r.name: np.median(view.runs[r.name], keepdims=True) for r in view.law.resources
    }
    fitted = np.median(view.posterior.predict(force=True, **middle).draws)
    band = 100 * np.log(_new_runs(view.posterior, middle, level, seed) / fitted)
    inside = np.abs(percent[~outlying]).max(initial=0.0)
    edge = max(2.0 * float(inside), 1.2 * float(np.abs(band).max()))
    off = np.abs(percent) > 0.85 * edge
    x = view.x(view.runs)
    axes.axhspan(*band[:, 0], color=style.GREY, alpha=0.18, linewidth=0, zorder=0, gid="band")
    median = style.GREY if view.sized else style.BLUE
    axes.axhline(0, color=median, linewidth=1.3, zorder=1, gid="zero")
    _scatter(axes, x[~off], percent[~off], view, gid="residuals", of=~off)
    _ring(axes, x[outlying & ~off], percent[outlying & ~off], gid="outlier residuals")
    for sign, marker in ((1, "^"), (-1, "v")):
        here = off & (np.sign(percent) == sign)
        if here.any():
            axes.scatter(
                x[here],
                np.full(here.sum(), sign * 0.92 * edge),
                marker=marker,
                s=22,
                c=view.run_colours(here),
                edgecolors=style.ORANGE,
                linewidths=0.7,
                zorder=4,
                gid=f"off scale {'above' if sign > 0 else 'below'}",
            )
    axes.set_ylim(-edge, edge)
    axes.yaxis.set_major_locator(MaxNLocator(5, symmetric=True, prune="both"))
    axes.set_xlabel(view.x_label)
    axes.set_ylabel("log residual\n(%)")
    return int(off.sum())


def _scatter(
    axes: Axes, x: np.ndarray, y: np.ndarray, view: View, *, gid: str, of: Any = slice(None)
) -> None:
    small = len(x) > 100
    axes.scatter(
        x,
        y,
        c=view.run_colours(of),
        s=11 if small else 16,
        edgecolors="white",
        linewidths=0.3,
        zorder=3,
        gid=gid,
    )


def _ring(axes: Axes, x: np.ndarray, y: np.ndarray, *, gid: str) -> None:
    """Mark outliers: by rings, or by dots where rings would hide the runs."""
    if len(x) > RINGED:
        axes.scatter(x, y, s=5, color=style.ORANGE, linewidths=0, alpha=0.6, zorder=4, gid=gid)
    elif len(x):
        axes.scatter(
            x,
            y,
            s=46,
            facecolors="none",
            edgecolors=style.ORANGE,
            linewidths=0.9,
            zorder=4,
            gid=gid,
        )


def _draw_colour_bar(
    figure: Figure, axes: tuple[Axes, ...], view: View, sizes: Sequence[float]
) -> None:
    limits = view.size_limits
    mappable = ScalarMappable(LogNorm(*limits), style.SEQUENCE)
    bar = figure.colorbar(mappable, ax=axes, pad=0.015, aspect=40)
    bar.ax.set_label("size")
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    bar.ax.minorticks_off()
    bar.set_ticks(list(style.round_numbers(*limits)))
    bar.ax.yaxis.set_major_formatter(lambda value, _: style.number(value))
    bar.ax.grid(False)
    bar.set_label(style.resource_label(view.law.resources[0]))
    for size in sizes:
        bar.ax.axhline(size, color="white", linewidth=1.2, gid=f"curve {style.number(size)}")


def _handles(
    view: View, level: float, curves: int, outliers: int, off: int, *, marked: bool = True
) -> list[Any]:
    colour = style.GREY if view.sized else style.BLUE
    run = style.GREY if view.sized else style.INK
    orange = {"linestyle": "none", "markeredgecolor": style.ORANGE, "markeredgewidth": 0.9}
    median = f"{view.law.name}, median"
    if view.sized:
        median += f" at {curves} sizes" + (" (white on the bar)" if marked else "")
    handles: list[Any] = [
        Line2D([], [], color=run, marker="o", markersize=4, linestyle="none", label="run"),
        Line2D([], [], color=colour, label=median),
        Patch(color=colour, alpha=0.3, linewidth=0, label=f"{level:.0%} of new runs"),
    ]
    if outliers:
        label = f"outlier ({outliers})"
        dots = outliers > RINGED
        how: dict[str, Any] = {"markersize": 3 if dots else 6}
        how["markerfacecolor"] = style.ORANGE if dots else "none"
        handles.append(Line2D([], [], marker="o", label=label, **how, **orange))
    if off:
        label = f"residual off scale ({off})"
        handles.append(
            Line2D([], [], marker="^", markersize=4.5, markerfacecolor=run, label=label, **orange)
        )
    return handles
