"""A posterior seen through straight lines: around some of its draws everything is Gaussian.

At draw s the loss-law coordinates u have the covariance of the runs so far,

    V_s = (P + sum_r i_r j_r j_r')^-1,    j_r = d log L(x_r)/du,

with the Fisher information i_r of one run about its log loss and the precision P of the prior, and
what is asked has the gradient g_s = d psi/du, psi = (log R*..., log L*). What a new run at x tells
of psi then follows from j(x) alone, draw by draw: averaging over draws is what keeps the curvature,
where one joint Gaussian of all draws would lose it.

Two doubts that the coordinates do not hold enter as further coordinates with variance 1. What the
law may be wrong by beyond the runs (`bayescale.models.drift`) has one for each side on which a
point may lie beyond, since a run smaller than all tells nothing of the large ones, and one for the
tilt of its best ratio of sizes. Which law it is, in a stack, has one a law, with the covariance of
the members' predictions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from bayescale.engines.mode import prior_spread
from bayescale.errors import UsageError
from bayescale.models.density import Density
from bayescale.models.drift import largest_product, sides
from bayescale.models.model import Model
from bayescale.models.observations import Observations
from bayescale.models.thinning import thinned, whole_shares
from bayescale.planning.allocation import optimum
from bayescale.planning.budget_line import BudgetLine
from bayescale.posteriors.abstract import AbstractPosterior
from bayescale.posteriors.posterior import Posterior
from theory.declaration.symbols import D, N

STEP = 1e-4
"""Step of the central differences, on the real line of a coordinate."""

Points = Mapping[str, Float[np.ndarray, " point"]]
"""Log of each resource at points."""


@dataclass(frozen=True, eq=False)
class LinearisedLaw:
    """Draws of one law, the law around each, and what is asked there.

    Parameters
    ----------
    density
        Law, priors and noise.
    positions
        Draws on the real space of the free coordinates.
    coordinates
        Which of these belong to the law.
    covariance
        V_s, doubts included as last coordinates.
    gradient
        g_s of each quantity.
    asked
        The quantities themselves.
    seen
        Log resources of the runs so far; None before any.
    drift
        Standard deviation of the slope of the drift, draw by draw; zero without one.
    tilt
        Standard deviation of its tilt; zero without one.
    forms
        What the law's mean prediction differs by from that of every law of a stack: one function
        of points a law, the root of its weight included.
    """

    density: Density
    positions: Float[np.ndarray, "draw coordinate"]
    coordinates: tuple[int, ...]
    covariance: Float[np.ndarray, "draw direction direction"]
    gradient: Float[np.ndarray, "draw quantity direction"]
    asked: Float[np.ndarray, "draw quantity"]
    seen: Mapping[str, np.ndarray] | None
    drift: Float[np.ndarray, " draw"]
    tilt: float = 0.0
    forms: tuple[Any, ...] = ()

    @property
    def model(self) -> Model:
        """The model behind the density."""
        return self.density.model

    def jacobian(self, points: Points) -> Float[np.ndarray, "draw point direction"]:
        """``d log L/du`` at points, doubts included."""
        slopes = _slopes(self.density, self.positions, self.coordinates, points)
        doubts = [doubt[..., None] for doubt in self.doubts(points)]
        return np.concatenate([slopes, *doubts], axis=-1)

    def doubts(self, points: Points) -> list[Float[np.ndarray, "draw point"]]:
        """The directions that the coordinates do not hold, at points."""
        shape = (len(self.positions), len(next(iter(points.values()))))
        drifts = [self.drift[:, None] * away for away in self.away(points)]
        if self.tilt:
            drifts.append(self.tilt * self.ahead(points) * self._slope_of_ratio(points))
        return drifts + [np.broadcast_to(form(points), shape) for form in self.forms]

    def away(self, points: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """E-folds beyond the runs by side, zero but on the side where a point is farthest."""
        if self.seen is None:
            return []
        sizes = [r.name for r in self.model.law.resources if not r.is_covariate]
        each = np.stack(sides(self.seen, points, sizes))
        farthest = np.argmax(each, axis=0)
        return [
            np.where(farthest == side, np.maximum(distance, 0.0), 0.0)
            for side, distance in enumerate(each)
        ]

    def ahead(self, points: Mapping[str, np.ndarray]) -> np.ndarray:
        """E-folds of the product of sizes beyond the largest run: how far the tilt has come."""
        if self.seen is None:
            return np.zeros(1)
        top = largest_product(self.seen, [N.name, D.name])
        return np.maximum(points[N.name] + points[D.name] - top, 0.0)

    def _slope_of_ratio(self, points: Points) -> Float[np.ndarray, "draw point"]:
        """``d log L`` as log N grows and log D falls by as much."""
        ahead, behind = (
            {**points, N.name: points[N.name] + step, D.name: points[D.name] - step}
            for step in (STEP, -STEP)
        )
        losses = [_log_loss(self.density, self.positions, at) for at in (ahead, behind)]
        return (losses[0] - losses[1]) / (2.0 * STEP)

    def variance(self, points: Points) -> Float[np.ndarray, "draw point"]:
        """Variance of the noise of one run: the inverse Fisher information of its log loss."""
        sites = self.density.constrain(self.positions)
        columns = {name: array[:, None] for name, array in sites.items()}
        rows = Observations({name: row[None, :] for name, row in points.items()})
        mean = _log_loss(self.density, self.positions, points)
        likelihood = self.model.likelihood
        noise = likelihood.noise(mean, columns, rows, np)
        return np.broadcast_to(1.0 / likelihood.information(noise), mean.shape)

    def mean(self, points: Points) -> Float[np.ndarray, " point"]:
        """Mean log loss over the draws, by the law alone."""
        return _log_loss(self.density, self.positions, points).mean(axis=0)


def linearise(
    source: AbstractPosterior, line: BudgetLine, log_budget: float, *, draws: int, seed: int
) -> list[LinearisedLaw]:
    """The laws of a posterior or a stack around some of their draws.

    Parameters
    ----------
    source
        A fitted posterior, a stack of them, or draws of a prior
        (`bayescale.posteriors.before_runs`).
    line
        Where the budget asked about can be spent.
    log_budget
        That budget.
    draws
        How many draws in all; a stack shares them among its laws by weight.
    seed
        Seed of the drift.

    Raises
    ------
    UsageError
        If a posterior was not made by a fit, or the optimum cannot be found.
    """
    posts = source.members
    shares = whole_shares(np.array([source.weights[name] for name in posts]), draws)
    kept = {n: int(s) for n, s in zip(posts, shares, strict=True) if s}
    found = [_of_posterior(posts[n], line, log_budget, s, seed) for n, s in kept.items()]
    return found if len(found) == 1 else _with_forms(found, np.array(list(kept.values())) / draws)


def _of_posterior(
    post: Posterior, line: BudgetLine, log_budget: float, draws: int, seed: int
) -> LinearisedLaw:
    if post.model is None:
        raise UsageError(
            "these draws came without a model, so what a new run would add to them is not known; "
            "fit the runs with bayescale.fit and design from that posterior."
        )
    model = post.model
    density, places = Density(model), _places(model)
    every = density.unconstrain({name: post.sites[name] for name in model.free})
    positions = every[thinned(len(every), draws)]
    _, width = prior_spread(density)
    before = np.diag(width)[list(places)] ** 2
    if post.observed is None:
        covariance = np.broadcast_to(np.diag(before), (draws, len(places), len(places)))
        none = np.zeros(draws)
        return _asked(density, positions, places, covariance, None, none, 0.0, line, log_budget)
    observed = model.observe(post.observed)
    seen = dict(observed.log_resources)
    scale = model.likelihood.scale(density.constrain(positions))
    drift, tilt = np.zeros(draws), 0.0
    if model.drift is not None:
        drift = model.drift.draw(scale[:, None], seed).scale[:, 0]
        tilt = model.drift.tilt if set(post.sizes) == {N.name, D.name} else 0.0
    if model.likelihood.dependent:
        # Rows depend on each other, which the draws know.
        inside = np.cov(every[:, list(places)].T)
        covariance = np.broadcast_to(np.atleast_2d(inside), (draws, len(places), len(places)))
    else:
        slopes = _slopes(density, positions, places, seen)
        information = _information_of_rows(density, positions, observed)
        data = np.einsum("sri,sr,srj->sij", slopes, information, slopes)
        covariance = np.linalg.inv(np.diag(1.0 / before) + data)
    return _asked(density, positions, places, covariance, seen, drift, tilt, line, log_budget)


def _information_of_rows(density: Density, positions: np.ndarray, rows: Observations) -> np.ndarray:
    """Fisher information of each run that was seen, with its own columns, (draw, run)."""
    sites = {n: v[:, None] for n, v in density.constrain(positions).items()}
    noise = density.model.noise(sites, rows, np)
    shape = (len(positions), len(next(iter(rows.log_resources.values()))))
    return np.broadcast_to(density.model.likelihood.information(noise), shape)


def _log_loss(density: Density, positions: np.ndarray, points: Points) -> np.ndarray:
    """Log loss by the law alone, (draw, point)."""
    sites = {n: v[:, None] for n, v in density.constrain(positions).items()}
    rows = {name: row[None, :] for name, row in points.items()}
    return density.model.law.log_loss(density.model.parameters(sites, np), rows, np)


def _slopes(
    density: Density, positions: np.ndarray, places: Sequence[int], points: Points
) -> Float[np.ndarray, "draw point coordinate"]:
    """Central differences of log loss in the law's coordinates."""
    columns = [
        (_log_loss(density, ahead, points) - _log_loss(density, behind, points)) / (2.0 * STEP)
        for ahead, behind in _shifted(positions, places)
    ]
    return np.stack(columns, axis=-1)


def _asked(
    density: Density,
    positions: np.ndarray,
    places: tuple[int, ...],
    covariance: np.ndarray,
    seen: Mapping[str, np.ndarray] | None,
    drift: np.ndarray,
    tilt: float,
    line: BudgetLine,
    log_budget: float,
) -> LinearisedLaw:
    """The linearised law with gradients of what is asked; drift and tilt come last."""

    def quantities(at: np.ndarray) -> np.ndarray:
        model = density.model
        natural = model.law.values(model.parameters(density.constrain(at), np))
        found = optimum(Posterior.from_draws(model.law, natural), line, np.array([log_budget]))
        sizes = [found.logs[r.name][:, 0] for r in line.cost.resources[:-1]]
        return np.stack([*sizes, found.log_loss[:, 0]], axis=-1)

    columns = [
        (quantities(ahead) - quantities(behind)) / (2.0 * STEP)
        for ahead, behind in _shifted(positions, places)
    ]
    asked = quantities(positions)
    linearised = LinearisedLaw(
        density, positions, places, covariance, np.stack(columns, axis=-1), asked, seen, drift, tilt
    )
    # The drift moves the loss at the optimum, and its tilt where the optimum is.
    there = _sizes_at(line, asked, log_budget)
    moves = [(-1, drift * away) for away in linearised.away(there)]
    if tilt:
        moves.append((0, -tilt * linearised.ahead(there)))
    for quantity, by in moves:
        moved = np.zeros((*asked.shape, 1))
        moved[:, quantity, 0] = by
        linearised = replace(
            linearised,
            covariance=_with_unit(linearised.covariance),
            gradient=np.concatenate([linearised.gradient, moved], axis=-1),
        )
    return linearised


def _sizes_at(line: BudgetLine, asked: np.ndarray, log_budget: float) -> dict[str, np.ndarray]:
    """Log sizes at the optimum of each draw: those asked for, and what the budget then leaves."""
    first, last = line.cost.resources
    log_size = asked[:, 0]
    return {first.name: log_size, last.name: line.log_data(log_size, log_budget)}


def _with_forms(found: Sequence[LinearisedLaw], share: np.ndarray) -> list[LinearisedLaw]:
    """Which law it is as further coordinates, one a law."""
    means = [law.asked.mean(axis=0) for law in found]
    centre = sum(s * m for s, m in zip(share, means, strict=True))
    roots = np.sqrt(share)

    def form(index: int) -> Any:
        def difference(points: Points) -> np.ndarray:
            predicted = [law.mean(points) for law in found]
            middle = sum(s * p for s, p in zip(share, predicted, strict=True))
            return roots[index] * (predicted[index] - middle)

        return difference

    forms = tuple(form(i) for i in range(len(found)))
    shifts = np.stack([r * (m - centre) for r, m in zip(roots, means, strict=True)], axis=-1)
    out = []
    for law in found:
        covariance = law.covariance
        for _ in forms:
            covariance = _with_unit(covariance)
        wide = np.broadcast_to(shifts, (len(law.positions), *shifts.shape))
        gradient = np.concatenate([law.gradient, wide], axis=-1)
        out.append(replace(law, covariance=covariance, gradient=gradient, forms=forms))
    return out


def _with_unit(covariance: np.ndarray) -> np.ndarray:
    """One more coordinate, of variance 1 and independent of the others."""
    draws, size, _ = covariance.shape
    out = np.zeros((draws, size + 1, size + 1))
    out[:, :size, :size], out[:, size, size] = covariance, 1.0
    return out


def _shifted(positions: np.ndarray, places: Sequence[int]) -> list[tuple[np.ndarray, np.ndarray]]:
    out = []
    for place in places:
        shift = np.zeros(positions.shape[1])
        shift[place] = STEP
        out.append((positions + shift[None], positions - shift[None]))
    return out


def _places(model: Model) -> tuple[int, ...]:
    """Positions of the law's own free coordinates among all free ones."""
    inside = set(model.chart.names)
    places = tuple(i for i, name in enumerate(model.free) if name in inside)
    if not places:
        raise UsageError(
            f"every coordinate of law '{model.law.name}' is fixed by its prior, so no run can tell "
            "anything of it; leave at least one free."
        )
    return places
