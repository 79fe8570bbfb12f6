"""The calibration: whether intervals held as often as they say, and what the larger runs did."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from scipy import stats

from bayescale.models.thinning import at_most
from bayescale.plots import style
from bayescale.plots.subjects import Fitted, chosen, observed
from bayescale.runs.cuts import sizes
from bayescale.validation.calibrate import LEVELS, STACK, Calibration, calibrate
from bayescale.validation.forecast import Forecast
from bayescale.validation.leave_future_out import refused
from theory.declaration.symbols import C, D, N

NOMINAL = np.round(np.linspace(0.05, 0.95, 19), 2)
"""Nominal levels at which coverage is drawn; those of the table have a marker."""

BAND = 0.9
"""Probability with which coverage falls into the band, at each level, if the intervals are right,
and level of the intervals of the runs."""

MOST = 400
"""Runs drawn at most; of more, this many evenly spaced in size."""

STATED = (0.5, 0.9)
"""Levels of which the legend says how often they held."""


def calibration(result: Calibration) -> Figure:
    """Draw how forecasts of the larger runs from the smaller ones turned out.

    Left: the fraction of runs inside their central predictive interval against its nominal level,
    over all cuts, for each law and for the stack; on the diagonal where the intervals are right,
    below it where a law is too sure; the legend says how often those of 50% and of 90% held. The
    band holds 90% of such fractions at each level if the intervals are right and each run that was
    forecast, however often, is one independent trial. Runs beyond one cut err together, so a line
    may leave it by more than chance alone allows.

    Right: for the law with the highest log score over all cuts, at the last cut, the logarithm of
    the loss seen over the predicted median of each run, in percent, with the 90% predictive
    interval about that median. Runs outside are marked. The dashed line is the cut.

    Parameters
    ----------
    result
        What `bayescale.calibrate` returned.

    Returns
    -------
    matplotlib.figure.Figure
        Axes ``"coverage"`` and ``"forecast"``.
    """
    with style.styled():
        figure = style.new_figure(7.4, 4.9)
        left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": (1, 1.25)})
        left.set_label("coverage")
        right.set_label("forecast")
        handles = _draw_coverage(left, result) + _draw_forecast(right, _Ahead.of(result))
        gate = any(refused(found) for found in result.outlook.posteriors.values())
        runs, names = result.outlook.runs, ", ".join(result.outlook.forecasts)
        title = f"Forecasts of larger runs from smaller: {runs.name}, {len(runs)} runs, {names}"
        style.frame(figure, title, handles, refused=gate)
    return figure


def subject(
    source: Fitted,
    *,
    group: str | None = None,
    cuts: Sequence[float] | None = None,
    seed: int | None = None,
) -> Calibration:
    """The calibration of a posterior's laws on its own runs, for which they are fitted below cuts.

    The laws keep their priors, likelihoods and drifts.
    """
    found = chosen(source, group)
    models = [post.fitted_model[0] for post in found.members.values()]
    own = found.seed if seed is None else seed
    return calibrate(observed(found), models, cuts=cuts, seed=own)


def coverage(
    forecasts: Sequence[Forecast], levels: np.ndarray = NOMINAL
) -> Float[np.ndarray, " level"]:
    """Fraction of all forecast runs inside their central interval of each level."""
    tails = np.concatenate([(1.0 - levels) / 2.0, (1.0 + levels) / 2.0])
    inside = []
    for one in forecasts:
        low, high = np.split(np.quantile(one.draws, tails, axis=0), 2)
        inside.append((low <= one.log_loss) & (one.log_loss <= high))
    return np.concatenate(inside, axis=1).mean(axis=1)


def _draw_coverage(axes: Axes, result: Calibration) -> list[Any]:
    ahead = np.any([cut.future for cut in result.outlook.cuts], axis=0)
    trials = len(np.unique(result.outlook.runs.column("run")[ahead].astype(str)))
    fine = np.linspace(0.0, 1.0, 201)
    low, high = stats.binom.interval(BAND, trials, fine)
    axes.fill_between(
        fine, low / trials, high / trials, color=style.GREY, alpha=0.2, linewidth=0, gid="band"
    )
    axes.plot([0, 1], [0, 1], color=style.INK, linewidth=0.8, gid="diagonal")
    handles: list[Any] = []
    marked = [int(np.argmin(np.abs(NOMINAL - level))) for level in LEVELS]
    for index, (name, forecasts) in enumerate(result.forecasts.items()):
        colour, marker, dashes = style.LOOKS[index % len(style.LOOKS)]
        look: dict[str, Any] = {"color": colour, "marker": marker, "linestyle": dashes}
        if name == STACK:
            look = {"color": style.INK, "marker": "D", "linestyle": "-", "linewidth": 1.8}
            look["zorder"] = 1.5  # where all weight is one law's, that law is seen
        held = coverage(forecasts, np.array(STATED))
        told = ", ".join(f"{a:.0%} held {b:.0%}" for a, b in zip(STATED, held, strict=True))
        look |= {"markersize": 4, "label": f"{name}: {told}"}
        axes.plot(NOMINAL, coverage(forecasts), markevery=marked, gid=f"coverage {name}", **look)
        handles.append(Line2D([], [], **look))
    axes.set(xlim=(0, 1), ylim=(-0.02, 1.02), aspect="equal")
    axes.set_title(f"all cuts ({len(result.outlook.cuts)})")
    axes.set_xlabel("nominal level of the interval (probability)")
    axes.set_ylabel("fraction of runs inside")
    label = f"{BAND:.0%} of {trials} independent runs"
    return [
        *handles,
        Line2D([], [], color=style.INK, linewidth=0.8, label="intervals that hold as they say"),
        Patch(color=style.GREY, alpha=0.3, linewidth=0, label=label),
    ]


@dataclass(frozen=True)
class _Ahead:
    """What one law forecast at the last cut, run by run in the order of size; logs in percent."""

    law: str
    cut: float
    label: str
    size: np.ndarray
    error: np.ndarray
    low: np.ndarray
    high: np.ndarray
    total: int

    @classmethod
    def of(cls, result: Calibration) -> "_Ahead":
        """The best law's."""
        outlook = result.outlook
        scores = {
            name: float(np.mean([one.log_score for one in found]))
            for name, found in outlook.forecasts.items()
        }
        law = max(scores, key=scores.__getitem__)
        cut, one = outlook.cuts[-1], outlook.forecasts[law][-1]
        size = sizes(outlook.runs)[cut.future]
        median = np.median(one.draws, axis=0)
        low, high = one.interval(BAND)
        kept = np.argsort(size, kind="stable")[at_most(len(size), MOST)]
        columns = (size, 100 * one.error, 100 * (low - median), 100 * (high - median))
        at, error, below, above = (column[kept] for column in columns)
        label = _size_label(outlook.runs.resources)
        return cls(law, cut.at, label, at, error, below, above, len(size))


def _size_label(names: Sequence[str]) -> str:
    """Label of the axis of what orders a table (`leave_future_out.sizes`)."""
    known = {resource.name: resource for resource in (N, D, C)}
    if C.name in names:
        return style.resource_label(C)
    if len(names) == 1 and names[0] in known:
        return style.resource_label(known[names[0]])
    units = " x ".join(known[name].unit if name in known else name for name in names)
    return f"size ${' '.join(names)}$ ({units})"


def _draw_forecast(axes: Axes, ahead: _Ahead) -> list[Any]:
    outside = (ahead.error < ahead.low) | (ahead.error > ahead.high)
    axes.axhline(0, color=style.INK, linewidth=0.8, zorder=1, gid="zero")
    axes.axvline(
        ahead.cut, color=style.INK, linewidth=0.8, linestyle=(0, (4, 2)), zorder=1, gid="cut"
    )
    axes.vlines(
        ahead.size,
        ahead.low,
        ahead.high,
        color=style.BLUE,
        alpha=0.35 if len(ahead.size) <= 100 else 0.2,
        linewidth=2.2,
        zorder=2,
        gid="intervals",
    )
    area = 16 if len(ahead.size) <= 100 else 9
    for which, marker, colour, gid in (
        (~outside, "o", style.INK, "inside"),
        (outside, "X", style.ORANGE, "outside"),
    ):
        axes.scatter(
            ahead.size[which],
            ahead.error[which],
            s=area if gid == "inside" else 2 * area,
            marker=marker,
            color=colour,
            edgecolors="white",
            linewidths=0.3,
            zorder=3,
            gid=gid,
        )
    limits = style.padded(np.append(ahead.size, ahead.cut))
    style.log_axis(axes, "x", limits, style.power_of_ten, style.DECADES)
    axes.set_title(f"{ahead.law}, last cut")
    axes.set_xlabel(ahead.label)
    axes.set_ylabel("log of loss seen over predicted (%)")
    count = len(ahead.size)
    shown = f"{count}" if count == ahead.total else f"{count} of {ahead.total} drawn"
    point: dict[str, Any] = {"linestyle": "none", "markeredgecolor": "white"}
    return [
        Line2D([], [], color=style.INK, linewidth=0.8, linestyle=style.DASHED, label="cut"),
        Patch(color=style.BLUE, alpha=0.35, linewidth=0, label=f"{BAND:.0%} predictive interval"),
        Line2D([], [], color=style.INK, marker="o", markersize=5, label=f"run ({shown})", **point),
        Line2D(
            [],
            [],
            color=style.ORANGE,
            marker="X",
            markersize=7,
            label=f"outside ({outside.sum()})",
            **point,
        ),
    ]
