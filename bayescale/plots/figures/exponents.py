"""The exponents: what the runs say about them beside what was believed before."""

from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from bayescale.errors import UsageError
from bayescale.plots import style
from bayescale.plots.subjects import Fitted, one_law
from bayescale.posteriors.posterior import Posterior
from theory.declaration.symbols import Parameter, Role

ROLES = (Role.EXPONENT, Role.SHAPE, Role.FLOOR)
"""Which parameters are drawn, in this order."""

LITTLE = 0.8
"""Posterior sd over prior sd above which the data say little."""

PRIOR_DRAWS = 20_000
"""Draws behind the prior of a parameter that is not a coordinate, such as the floor."""

GRID = 50
"""Points of a contour's grid, each way."""

SHOWN = 1000
"""Most draws shown as dots."""


def exponents(posterior: Fitted, *, group: str | None = None, force: bool = False) -> Figure:
    """Draw the posterior of a law's exponents, shapes and floor, with the prior of each.

    On the diagonal: the posterior density of each parameter, and its prior as a thin dashed line;
    the title gives the median and the 90% interval, and says so where the data say little: the
    posterior's standard deviation is then above 0.8 of the prior's. Below the diagonal: draws of
    each pair, with the contours that hold 50% and 90% of them. Parameters held fixed are left out.

    Parameters
    ----------
    posterior
        A fitted posterior of one law, or given draws (then without priors); of groups, the group
        named, or the population's centre (`groups` draws all beside each other).
    group
        Which group, where there are several.
    force
        Draw even where the gate refuses; the figure then says so in red.

    Returns
    -------
    matplotlib.figure.Figure
        Axes ``"alpha"`` for a parameter, ``"beta against alpha"`` for a pair.

    Raises
    ------
    UsageError
        If the law has no free exponent, shape or floor, there are several laws, or there is no such
        group.
    DiagnosticsRefused
        If the gate refuses and `force` is not given.
    """
    posterior = one_law(posterior, group)
    posterior.diagnosis.require(force=force)
    ranked = [p for role in ROLES for p in posterior.law.parameters if p.role is role]
    draws = {p: posterior.draws[p.name].to_numpy().reshape(-1) for p in ranked}
    drawn = [p for p in ranked if np.ptp(draws[p]) > 0]
    if not drawn:
        raise UsageError(f"law '{posterior.law.name}' has no free exponent, shape or floor here.")
    priors = _prior_draws(posterior)
    size = len(drawn)
    limits = {p: _limits(p, draws[p]) for p in drawn}
    with style.styled():
        side = {1: 4.0, 2: 4.4, 3: 5.6}.get(size, 7.2)
        figure = style.new_figure(side, side + 0.3 if size > 1 else 3.8)
        grid = figure.add_gridspec(size, size)
        for i, row in enumerate(drawn):
            axes = figure.add_subplot(grid[i, i], label=row.name)
            _draw_marginal(axes, posterior, row, draws[row], priors.get(row.name), limits[row])
            _finish(axes, row, limits[row], last=i == size - 1)
            for j, column in enumerate(drawn[:i]):
                pair = figure.add_subplot(grid[i, j], label=f"{row.name} against {column.name}")
                _draw_pair(pair, draws[column], draws[row], limits[column], limits[row])
                _finish(pair, column, limits[column], last=i == size - 1)
                pair.yaxis.set_major_locator(MaxNLocator(4, prune="both"))
                if j == 0:
                    pair.set_ylabel(style.parameter_label(row))
                else:
                    pair.tick_params(labelleft=False)
        handles = _handles(size > 1, with_prior=bool(priors))
        refused = bool(posterior.diagnosis.refusals)
        style.frame(figure, f"Exponents: {posterior.origin}", handles, refused=refused, columns=4)
    return figure


def _prior_draws(posterior: Posterior) -> dict[str, Float[np.ndarray, " draw"]]:
    """Draws of every parameter of the law from the prior; empty for draws made elsewhere."""
    if posterior.model is None:
        return {}
    rng = np.random.default_rng(posterior.seed)
    table = posterior.model.priors.table
    coordinates = {
        name: table[name].sample(rng, PRIOR_DRAWS) for name in posterior.model.chart.names
    }
    logs = posterior.model.parameters(coordinates, np)
    positive = {p.name for p in posterior.law.parameters if p.domain.is_positive}
    return {n: np.exp(values) if n in positive else values for n, values in logs.items()}


def _prior_density(
    posterior: Posterior, name: str, draws: np.ndarray, at: np.ndarray
) -> Float[np.ndarray, " point"]:
    """Prior density: exact for a coordinate, else estimated from draws."""
    assert posterior.model is not None
    prior = posterior.model.priors.table.get(name)
    return _density(draws, at) if prior is None else prior.scipy().pdf(at)


def _density(draws: np.ndarray, at: np.ndarray) -> Float[np.ndarray, " point"]:
    """Kernel density estimate; positive draws are reflected at 0, so that no mass leaks there."""
    from scipy.stats import gaussian_kde

    step = -(-draws.size // 4000)
    kernel = gaussian_kde(draws[::step])
    positive = draws.min() > 0
    return np.where(at > 0, kernel(at) + kernel(-at), 0.0) if positive else kernel(at)


def _limits(parameter: Parameter, draws: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(draws, (0.001, 0.999))
    room = 0.08 * (high - low)
    least = 0.0 if parameter.domain.is_positive else -np.inf
    return float(max(low - room, least)), float(high + room)


def _draw_marginal(
    axes: Axes,
    posterior: Posterior,
    parameter: Parameter,
    draws: np.ndarray,
    prior: np.ndarray | None,
    limits: tuple[float, float],
) -> None:
    at = np.linspace(*limits, 200)
    density = _density(draws, at)
    axes.fill_between(at, density, color=style.BLUE, alpha=0.2, linewidth=0)
    axes.plot(at, density, color=style.BLUE, gid="posterior")
    low, middle, high = np.quantile(draws, (0.05, 0.5, 0.95))
    places = max(int(np.ceil(1 - np.log10(high - low))), 0)
    title = f"{style.symbol(parameter)} = {middle:.{places}f} [{low:.{places}f}, {high:.{places}f}]"
    if prior is not None:
        believed = _prior_density(posterior, parameter.name, prior, at)
        axes.plot(at, believed, color=style.INK, linewidth=0.9, linestyle=(0, (4, 3)), gid="prior")
        if draws.std() > LITTLE * prior.std():
            title += "\nthe data say little"
    axes.set_title(title, pad=3)
    axes.set_ylim(bottom=0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)


def _draw_pair(
    axes: Axes,
    x: np.ndarray,
    y: np.ndarray,
    x_limits: tuple[float, float],
    y_limits: tuple[float, float],
) -> None:
    step = -(-x.size // SHOWN)
    axes.scatter(
        x[::step],
        y[::step],
        s=2,
        color=style.BLUE,
        alpha=0.18,
        linewidths=0,
        rasterized=True,
        gid="draws",
    )
    axes.set_ylim(y_limits)
    if np.linalg.matrix_rank(np.cov(x, y)) < 2:  # on a line there is no area to hold 90%
        return
    grid = [np.linspace(*limits, GRID) for limits in (x_limits, y_limits)]
    levels, density = _contours(np.stack([x, y]), *grid)
    axes.contour(*grid, density, levels=levels, colors=style.BLUE, linewidths=(0.9, 1.4))


def _contours(
    draws: Float[np.ndarray, "2 draw"], x: np.ndarray, y: np.ndarray
) -> tuple[list[float], Float[np.ndarray, "y x"]]:
    """Density on a grid and its levels above which 90% and 50% of the draws are."""
    from scipy.stats import gaussian_kde

    kernel = gaussian_kde(draws[:, :: -(-draws.shape[1] // 2000)])
    at = np.stack([axis.ravel() for axis in np.meshgrid(x, y)])
    density = kernel(at).reshape(y.size, x.size)
    ranked = np.sort(density, axis=None)[::-1]
    held = np.cumsum(ranked) / ranked.sum()
    return [float(ranked[np.searchsorted(held, mass)]) for mass in (0.9, 0.5)], density


def _finish(axes: Axes, parameter: Parameter, limits: tuple[float, float], *, last: bool) -> None:
    axes.set_xlim(limits)
    axes.xaxis.set_major_locator(MaxNLocator(4, prune="both"))
    if last:
        axes.set_xlabel(style.parameter_label(parameter))
    else:
        axes.tick_params(labelbottom=False)


def _handles(pairs: bool, *, with_prior: bool) -> list[Any]:
    handles: list[Any] = [Patch(facecolor=style.BLUE, alpha=0.3, label="posterior")]
    if with_prior:
        dashes = (0, (4, 3))
        handles.append(
            Line2D([], [], color=style.INK, linewidth=0.9, linestyle=dashes, label="prior")
        )
    if pairs:
        dot: dict[str, Any] = {"marker": "o", "markersize": 2.5, "linestyle": "none", "alpha": 0.5}
        handles += [
            Line2D([], [], color=style.BLUE, label="draw", **dot),
            Line2D([], [], color=style.BLUE, label="holds 50%, 90%"),
        ]
    return handles
