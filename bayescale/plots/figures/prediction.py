"""Predictions: the loss at each point, with how sure it is."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bayescale.plots import style
from bayescale.posteriors.prediction import Prediction
from theory.declaration.symbols import C, D, N

BANDS = ((0.9, 0.9), (0.5, 2.6))
"""Probability and line width of each interval."""

MOST = 30
"""Of more points the intervals are bands along the axis, where one resource is swept."""


def prediction(found: Prediction) -> Figure:
    """Draw the posterior of the loss at each point: the median with its 50% and 90% intervals.

    Points stand at the resource that alone differs among them, or, where several do, in the order
    in which they were asked for.

    Parameters
    ----------
    found
        What `Posterior.predict` gave.

    Returns
    -------
    matplotlib.figure.Figure
        Axes ``"loss"``.
    """
    points, draws = found.points, found.draws
    swept = [name for name in points if len(np.unique(points[name].to_numpy())) > 1]
    alone = len(swept) == 1
    x = points[swept[0]].to_numpy() if alone else np.arange(1, len(points) + 1)
    order = np.argsort(x, kind="stable")
    x, draws = x[order], draws[:, order]
    middle = np.median(draws, axis=0)
    banded = alone and len(x) > MOST
    colour: dict[str, Any] = {"color": style.BLUE}
    with style.styled():
        figure = style.new_figure(5.0, 4.0)
        axes = figure.subplots()
        axes.set_label("loss")
        handles: list[Any] = [Line2D([], [], marker="o", markersize=4.5, lw=0, label="median")]
        for level, width in BANDS:
            low, high = np.quantile(draws, (0.5 - level / 2, 0.5 + level / 2), axis=0)
            label = f"{level:.0%} {'predictive' if found.noise else 'credible'} interval"
            gid = f"interval {level:.0%}"
            if banded:
                shade = {"alpha": 0.22 if level > 0.5 else 0.35, "lw": 0}
                handles.append(
                    axes.fill_between(x, low, high, label=label, gid=gid, **shade, **colour)
                )
            else:
                axes.vlines(x, low, high, lw=width, gid=gid, **colour)
                handles.append(Line2D([], [], lw=width, label=label, **colour))
        if banded:
            axes.plot(x, middle, gid="median", **colour)
            handles[0] = Line2D([], [], label="median", **colour)
        else:
            dot: dict[str, Any] = {"marker": "o", "markersize": 4.5, "linestyle": "none"}
            dot |= {"markeredgecolor": "white", "markeredgewidth": 0.5}
            axes.plot(x, middle, gid="median", **dot, **colour)
            handles[0] = Line2D([], [], label="median", **dot, **colour)
        seen = np.quantile(draws, (0.05, 0.95), axis=0)
        style.log_axis(axes, "y", style.padded(seen, 0.08), "{:.4g}".format)
        if alone:
            known = {r.name: style.resource_label(r) for r in (N, D, C)}
            write = style.power_of_ten if swept[0] == C.name else style.number
            style.log_axis(axes, "x", style.padded(x), write, style.DECADES)
            axes.set_xlabel(known.get(swept[0], f"${swept[0]}$"))
        else:
            axes.set_xticks(x[:: max(len(x) // 12, 1)])
            axes.set_xlabel("point (in the order asked for)")
        axes.set_ylabel("loss (nats/token)")
        kept = [
            f"{name} = {style.number(float(points[name].iloc[0]))}"
            for name in points
            if name not in swept
        ]
        what = "New runs" if found.noise else "Loss"
        at = f" at {', '.join(kept)}" if kept else ""
        title = f"{what} predicted{at}: {found.origin or 'a posterior'}"
        style.frame(figure, title, handles, refused=not found.trusted)
    return figure
