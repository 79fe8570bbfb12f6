"""The fit: loss against compute, runs beside the law, and what is left over."""

from collections.abc import Sequence
from dataclasses import dataclass
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
from bayescale.models.outliers import likely_outliers
from bayescale.plots import style
from bayescale.posteriors.posterior import Posterior
from bayescale.posteriors.thinning import thin
from theory.declaration.abstract_law import AbstractLaw
from theory.declaration.symbols import C

POINTS = 30
"""Points of a drawn curve."""

MOST = 4_000_000
"""Draws times runs held at once; beyond, draws are thinned."""


def fit(
    posterior: Posterior,
    *,
    cost: str | AbstractCost = "6ND",
    curves: int | Sequence[float] | np.ndarray = 5,
    level: float = 0.9,
    seed: int | None = None,
    force: bool = False,
) -> Figure:
    """Draw the runs and the law fitted to them: loss against compute, and the residuals.

    Above: each run as a point, coloured by model size; for some model sizes the posterior median
    of the loss over the range of the data, with the band in which a new run of that size falls
    with probability `level` (its own scatter included). Below: the log residual of each run from
    the posterior median, in percent, over the band of a new run. A law in one resource is drawn
    against that resource, with one curve and no colours.

    A run has a ring where it is an outlier more likely than not, by the likelihood's own definition
    (`Posterior.outliers`). A residual off the scale is drawn as a triangle at the edge.

    Parameters
    ----------
    posterior
        A fitted posterior.
    cost
        What training costs, for the compute axis; a cost model or its name in ``bs.cost.COSTS``.
    curves
        How many model sizes to draw the law at (the runs nearest to equal steps of log size), or
        those sizes themselves, in parameters.
    level
        Probability of the band, between 0 and 1.
    seed
        Seed of the scatter of new runs; the fit's own by default.
    force
        Draw even where the gate refuses; the figure then says so in red.

    Returns
    -------
    matplotlib.figure.Figure
        Axes ``"loss"`` and ``"residual"``, and ``"size"`` for the colour bar.

    Raises
    ------
    UsageError
        If the posterior holds no runs, the law's resources are not the cost's, or an option is out
        of its range.
    DiagnosticsRefused
        If the gate refuses and `force` is not given.
    """
    posterior.diagnosis.require(force=force)
    runs = posterior.runs
    if runs is None or posterior.model is None:
        raise UsageError("these draws were made elsewhere and hold no runs; draw a fit of runs.")
    if not 0 < level < 1:
        raise UsageError(f"level is a probability between 0 and 1; got {level}.")
    view = _View(posterior, runs, costs.get(cost))
    residual = log_residuals(posterior, runs)
    model, rows = posterior.fitted_model
    outlying = likely_outliers(model, posterior.sites, rows)
    with style.styled():
        figure = style.Plot(6.0, 4.6)
        grid = figure.add_gridspec(2, 1, height_ratios=(3.4, 1.0))
        above = figure.add_subplot(grid[0], label="loss")
        below = figure.add_subplot(grid[1], label="residual", sharex=above)
        _draw_curves(above, view, view.sizes(curves), level, seed)
        _draw_runs(above, view, outlying)
        off = _draw_residuals(below, view, residual, outlying, level, seed)
        if view.sized:
            _draw_colour_bar(figure, (above, below), view, view.sizes(curves))
        above.tick_params(labelbottom=False)
        handles = _handles(view, level, int(outlying.sum()), off)
        style.legend_above(figure, handles, refused=bool(posterior.diagnosis.refusals))
        figure.align_ylabels([above, below])
    return figure


def log_residuals(posterior: Posterior, runs: pd.DataFrame) -> Float[np.ndarray, " run"]:
    """Log loss of each run less the posterior median of the law's."""
    thinned = thin(posterior, max(MOST // len(runs), 100))
    resources: dict[str, Any] = {r.name: runs[r.name].to_numpy() for r in posterior.law.resources}
    fitted = thinned.predict(force=True, **resources).draws
    return np.log(runs["loss"].to_numpy()) - np.log(np.median(fitted, axis=0))


@dataclass(frozen=True)
class _View:
    """A law and its runs as the plot sees them: one resource held (or none), the other swept."""

    posterior: Posterior
    runs: pd.DataFrame
    cost: AbstractCost

    def __post_init__(self) -> None:
        law = self.law
        names = ", ".join(r.name for r in law.resources)
        if len(law.resources) > 2:
            raise UsageError(f"law '{law.name}' in {names} has no plot of loss against compute.")
        if self.sized and set(law.resources) != set(self.cost.resources):
            need = ", ".join(r.name for r in self.cost.resources)
            raise UsageError(
                f"cost '{self.cost.name}' is one of {need}, but law '{law.name}' depends on "
                f"{names}; pass a cost in these."
            )

    @property
    def law(self) -> AbstractLaw:
        """The law."""
        return self.posterior.law

    @property
    def sized(self) -> bool:
        """Whether a resource is held along a curve, and coloured."""
        return len(self.law.resources) == 2

    @property
    def size(self) -> np.ndarray:
        """The held resource of each run, shape (run,)."""
        return self.runs[self.law.resources[0].name].to_numpy()

    @property
    def x_label(self) -> str:
        """Label of the x axis."""
        return style.resource_label(C if self.sized else self.law.resources[0])

    @property
    def x_limits(self) -> tuple[float, float]:
        """Ends of the x axis."""
        return style.padded(self.x(self.runs))

    @property
    def x_ticks(self) -> tuple[Any, Any]:
        """How to write numbers on the x axis, and of which multiples of powers of ten."""
        if self.sized or self.law.resources[0] == C:
            return style.power_of_ten, style.DECADES
        return style.number, style.MULTIPLES

    def x(self, points: Any) -> np.ndarray:
        """Where points (a column a resource) stand on the x axis."""
        if not self.sized:
            return np.asarray(points[self.law.resources[0].name])
        logs = {r.name: np.log(np.asarray(points[r.name])) for r in self.cost.resources}
        return np.exp(self.cost.log_cost(logs))

    def colour(self, size: Any) -> Any:
        """Colour of a model size, or of the only curve."""
        if not self.sized:
            return style.BLUE
        norm = LogNorm(self.size.min(), self.size.max(), clip=True)
        return style.SEQUENCE(norm(size))

    def run_colours(self, of: Any) -> Any:
        """Colours of some of the runs."""
        return self.colour(self.size[of]) if self.sized else style.INK

    def sizes(self, curves: int | Sequence[float] | np.ndarray) -> list[float]:
        """Sizes to draw curves at."""
        if not self.sized:
            return [float("nan")]
        if isinstance(curves, int):
            if curves < 1:
                raise UsageError(f"curves must be at least 1; got {curves}.")
            known = np.unique(self.size)
            wanted = np.geomspace(known[0], known[-1], curves)
            gaps = np.abs(np.log(wanted[:, None] / known[None, :]))
            return sorted({float(known[j]) for j in np.argmin(gaps, axis=1)})
        chosen = np.asarray(curves, dtype=np.float64)
        if chosen.ndim != 1 or not np.all(np.isfinite(chosen) & (chosen > 0)):
            raise UsageError(f"curves are positive model sizes; got {curves}.")
        return [float(size) for size in np.sort(chosen)]

    def sweep(self, size: float) -> dict[str, Any]:
        """Resources along the curve at a size."""
        *held, swept = self.law.resources
        span = self.runs[swept.name].to_numpy()
        along = np.geomspace(span.min(), span.max(), POINTS)
        return {swept.name: along} | {r.name: np.full(POINTS, size) for r in held}


def _draw_curves(
    axes: Axes, view: _View, sizes: Sequence[float], level: float, seed: int | None
) -> None:
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


def _draw_runs(axes: Axes, view: _View, outlying: np.ndarray) -> None:
    x, loss = view.x(view.runs), view.runs["loss"].to_numpy()
    _scatter(axes, x, loss, view, gid="runs")
    _ring(axes, x[outlying], loss[outlying], gid="outliers")
    style.log_axis(axes, "x", view.x_limits, *view.x_ticks)
    style.log_axis(axes, "y", style.padded(loss, 0.06), "{:.3g}".format)
    axes.set_ylabel("loss (nats/token)")


def _draw_residuals(
    axes: Axes,
    view: _View,
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
    axes.axhline(0, color=style.INK, linewidth=0.8, zorder=1, gid="zero")
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
    axes.set_ylabel("log residual (%)")
    return int(off.sum())


def _scatter(
    axes: Axes, x: np.ndarray, y: np.ndarray, view: _View, *, gid: str, of: Any = slice(None)
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
    if len(x):
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
    figure: Figure, axes: tuple[Axes, Axes], view: _View, sizes: Sequence[float]
) -> None:
    limits = (float(view.size.min()), float(view.size.max()))
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


def _handles(view: _View, level: float, ringed: int, off: int) -> list[Any]:
    colour = style.GREY if view.sized else style.BLUE
    run = style.GREY if view.sized else style.INK
    orange = {"linestyle": "none", "markeredgecolor": style.ORANGE, "markeredgewidth": 0.9}
    handles: list[Any] = [
        Line2D([], [], color=run, marker="o", markersize=4, linestyle="none", label="run"),
        Line2D([], [], color=colour, label=f"{view.law.name}, median"),
        Patch(color=colour, alpha=0.3, linewidth=0, label=f"{level:.0%} of new runs"),
    ]
    if ringed:
        label = f"outlier ({ringed})"
        handles.append(
            Line2D([], [], marker="o", markersize=6, markerfacecolor="none", label=label, **orange)
        )
    if off:
        label = f"residual off scale ({off})"
        handles.append(
            Line2D([], [], marker="^", markersize=4.5, markerfacecolor=run, label=label, **orange)
        )
    return handles
