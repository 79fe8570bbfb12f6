"""In which coordinates, and from where, a hierarchical posterior is sampled.

The offsets of a group that its runs determine are tied to the spread by a narrow bent ridge; the
group's own coordinate is then the better thing to move in. For a group about which the runs say
little, or where the spread is small, it is the other way round (Papaspiliopoulos et al. 2007;
Betancourt and Girolami 2015). So for each coordinate c and group g what the runs say is taken to
be ``t(c_g) ~ Normal(h/p, 1/p)``, from the curvature at a mode, and the sampler moves in the
offset standardised by what would then be its distribution given the population,

    z_g = sqrt(1 + s^2 p) (c_offset_g - s (h - p t(c))/(1 + s^2 p)) ,    s = c_spread,

which is the offset where ``s^2 p`` is small and a linear function of the group's own coordinate
where it is large. The model and its draws stay in offsets; only the density's position changes,
with ``-log(1 + s^2 p)/2`` for the change of volume, so nothing depends on the approximation but
the speed.

A hierarchical density has no useful joint mode, so the start is the mode given the spreads, and
the spreads are moved a few times to where the groups scatter, by the EM algorithm.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy import linalg, optimize

from bayescale.distributions.prior import Prior
from bayescale.engines.mode import negative_log_density, prior_spread
from bayescale.models.density import Density, Numbers
from bayescale.models.observations import Observations
from bayescale.models.pooling import OFFSET, SPREAD, Pooling

MOVES = 3
"""Times that the spreads are moved to where the groups scatter, before sampling."""

STARTS = 4
"""Searches for the mode given the spreads: from the middle of the prior and from draws of it."""

STEP = 1e-4
"""Step of the difference of gradients, on the real line."""

GRADIENT = 1e-3
"""A search ends where the gradient is smaller; a mode is only where sampling begins."""

CERTAIN = 1.0 - 1e-8
"""Largest weight of what the runs say of a group."""

JITTER = 1e-8
"""Least curvature, relative to the largest, that counts as determined."""


Table = tuple[tuple[float, ...], ...]
"""Numbers (coordinate, group); hashable, because a program is compiled for them."""


@dataclass(frozen=True)
class CentredDensity(Density):
    """The same posterior at positions from which what the runs say of each group is taken out.

    Parameters
    ----------
    precision, pull
        ``p`` and ``h`` of each pooled coordinate and group, (coordinate, group).
    """

    precision: Table
    pull: Table

    def constrain(
        self, position: Any, ops: Any = np, numbers: Numbers | None = None
    ) -> dict[str, Any]:
        """What is sampled, with offsets; see `Density.constrain`."""
        sites = super().constrain(position, ops, numbers)
        for name, (shift, scale) in self._parts(sites, ops).items():
            sites[name + OFFSET] = (sites[name + OFFSET] + shift) / scale
        return sites

    def unconstrain(self, coordinates: Mapping[str, Any], ops: Any = np) -> Any:
        """Positions (..., coordinate) of given sites."""
        moved = dict(coordinates)
        for name, (shift, scale) in self._parts(coordinates, ops).items():
            moved[name + OFFSET] = scale * coordinates[name + OFFSET] - shift
        return super().unconstrain(moved, ops)

    def log_prior(
        self,
        position: Float[Array | np.ndarray, "*batch coordinate"],
        sites: Mapping[str, Any],
        ops: Any = jnp,
        numbers: Numbers | None = None,
    ) -> Any:
        """Log prior density of the sites, with the change of volume."""
        total = super().log_prior(position, sites, ops, numbers)
        for _, scale in self._parts(sites, ops).values():
            total -= ops.log(scale).sum(-1)
        return total

    @property
    def _pooling(self) -> Pooling:
        assert self.model.pooling is not None
        return self.model.pooling

    def _parts(self, sites: Mapping[str, Any], ops: Any) -> dict[str, tuple[Any, Any]]:
        """Shift and scale of ``z + shift = scale x offset``, (..., group), by coordinate."""
        out = {}
        rows = zip(self._pooling.coordinates, self.precision, self.pull, strict=True)
        for name, *row in rows:
            p, h = map(np.array, row)
            support = self._pooling.support(name, self.model.priors)
            centre = support.to_real(ops.asarray(sites[name]), ops)[..., None]
            spread = ops.asarray(sites[name + SPREAD])[..., None]
            scale = ops.sqrt(1.0 + spread**2 * p)
            out[name] = spread * (h - p * centre) / scale, scale
        return out


@dataclass(frozen=True)
class Start:
    """Where and in which coordinates sampling begins.

    Parameters
    ----------
    density
        With what the runs say of each group.
    weights
        ``s^2 p/(1 + s^2 p)`` there: 1 where the runs determine a group, 0 where they say nothing.
    centre, factor
        Position and factor of the covariance to whiten with.
    agreeing, starts
        How many of how many searches ended within 0.01 of the best log density.
    """

    density: CentredDensity
    weights: dict[str, Float[np.ndarray, " group"]]
    centre: Float[np.ndarray, " coordinate"]
    factor: Float[np.ndarray, "coordinate coordinate"]
    agreeing: int
    starts: int

    @property
    def facts(self) -> dict[str, Any]:
        """How the search went, and how far each coordinate is centred on average."""
        centring = {name: round(float(np.mean(w)), 3) for name, w in self.weights.items()}
        searched = {"mode_agreeing": self.agreeing, "mode_starts": self.starts}
        return {**searched, "centring": centring}


def find_start(density: Density, observed: Observations, rng: np.random.Generator) -> Start:
    """Mode given the spreads, spreads by EM, and weights from the curvature there.

    Parameters
    ----------
    density
        In offsets.
    observed
        The runs.
    rng
        Draws the second start.
    """
    surface = _Surface(density, observed)
    middle, width = prior_spread(density)
    drawn = middle + rng.standard_normal((STARTS - 1, density.size)) * np.diag(width)
    drawn[:, surface.spreads] = middle[surface.spreads]
    ends = [surface.climb(begin) for begin in (middle, *drawn)]
    heights = np.array([surface.height(end) for end in ends])
    position = ends[int(np.nanargmin(heights))]
    agreeing = int(np.sum(heights < np.nanmin(heights) + 0.01))
    for _ in range(MOVES):
        position = surface.climb(surface.moved(position, surface.covariance(position)))
    return surface.start(position, agreeing, len(ends))


class _Surface:
    """Negative log density in offsets, as a function of all but the spreads."""

    def __init__(self, density: Density, observed: Observations) -> None:
        assert density.model.pooling is not None
        self._density, self._observed = density, observed
        self._pooling, self._places = density.model.pooling, density._places
        self.spreads = [self._places[n] for n in self._places if n.endswith(SPREAD)]
        self._inner = np.setdiff1d(np.arange(density.size), self.spreads)
        self._compiled = negative_log_density(density)

    def height(self, position: np.ndarray) -> float:
        """Negative log density."""
        return float(self._compiled(position, self._observed)[0])

    def _gradient(self, position: np.ndarray) -> np.ndarray:
        return np.asarray(self._compiled(position, self._observed)[1])[self._inner]

    def _hessian(self, position: np.ndarray) -> np.ndarray:
        rows = []
        for place in self._inner:
            step = np.zeros_like(position)
            step[place] = STEP
            rows.append(self._gradient(position + step) - self._gradient(position - step))
        hessian = np.stack(rows) / (2.0 * STEP)
        return (hessian + hessian.T) / 2.0

    def climb(self, position: np.ndarray) -> np.ndarray:
        """The mode given the spreads."""

        def full(inner: np.ndarray) -> np.ndarray:
            out = position.copy()
            out[self._inner] = inner
            return out

        def objective(inner: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradient = self._compiled(full(inner), self._observed)
            return float(value), np.asarray(gradient)[self._inner]

        with np.errstate(all="ignore"):
            end = optimize.minimize(
                objective,
                position[self._inner],
                jac=True,
                method="BFGS",
                options={"gtol": GRADIENT},
            )
        return full(end.x)

    def covariance(self, position: np.ndarray) -> np.ndarray:
        """Inverse curvature given the spreads, (inner, inner), of all directions upwards."""
        values, vectors = linalg.eigh(self._hessian(position))
        values = np.maximum(values, JITTER * values[-1])
        return (vectors / values) @ vectors.T

    def moved(self, position: np.ndarray, covariance: np.ndarray) -> np.ndarray:
        """One EM step: spreads to where the groups scatter, with the groups left in place."""
        position, variances = position.copy(), self._full(np.diag(covariance))
        sites = self._density.constrain(position)
        for name in self._pooling.coordinates:
            if name + SPREAD not in self._places:
                continue
            offsets, prior = self._places[name + OFFSET], self._table[name + SPREAD]
            spread = float(sites[name + SPREAD])
            total = spread**2 * float(np.sum(position[offsets] ** 2 + variances[offsets]))
            new = np.sqrt(_mode_of_square(total, len(self._pooling.groups), prior))
            position[offsets] *= spread / new
            position[self._places[name + SPREAD]] += np.log(new / spread)
        return position

    def start(self, position: np.ndarray, agreeing: int, starts: int) -> Start:
        """What the runs say of each group, and the whitening in the coordinates that it gives."""
        covariance, sites = self.covariance(position), self._density.constrain(position)
        weights = self._weights(position)
        size = self._density.size
        change, spreads, precision, pull = np.eye(size), np.zeros(size), [], []
        for name, weight in weights.items():
            spread, offsets = (
                float(sites[name + SPREAD]),
                np.arange(size)[self._places[name + OFFSET]],
            )
            support = self._pooling.support(name, self._density.model.priors)
            centre = float(support.to_real(sites[name], np))
            p = weight / (1.0 - weight) / spread**2
            precision.append(tuple(p.tolist()))
            pull.append(
                tuple((p * centre + position[offsets] / (spread * (1.0 - weight))).tolist())
            )
            change[offsets, offsets] = (1.0 - weight) ** -0.5
            if name in self._places:
                change[offsets, self._places[name]] = spread * p * (1.0 - weight) ** 0.5
            if name + SPREAD in self._places:
                # Of the logarithm of a spread seen through so many groups.
                spreads[self._places[name + SPREAD]] = 1.0 / (1.0 + 2.0 * weight.sum())
        density = CentredDensity(self._density.model, tuple(precision), tuple(pull))
        joint = np.diag(spreads)
        joint[np.ix_(self._inner, self._inner)] = covariance
        factor = linalg.cholesky(change @ joint @ change.T, lower=True)
        return Start(density, weights, density.unconstrain(sites), factor, agreeing, starts)

    def _weights(self, position: np.ndarray) -> dict[str, np.ndarray]:
        """One less the variance of each offset given population and runs, by coordinate."""
        hessian = self._hessian(position)
        where = {int(place): i for i, place in enumerate(self._inner)}
        names, everything = self._pooling.coordinates, np.arange(self._density.size)
        table = np.array([everything[self._places[name + OFFSET]] for name in names])
        out = np.zeros(table.shape)
        for group, column in enumerate(table.T):
            block = [where[int(place)] for place in column]
            variance = np.diag(linalg.pinvh(hessian[np.ix_(block, block)]))
            out[:, group] = np.clip(1.0 - variance, 0.0, CERTAIN)
        return dict(zip(names, out, strict=True))

    @property
    def _table(self) -> Mapping[str, Prior]:
        return self._density.model.priors.table

    def _full(self, inner: np.ndarray) -> np.ndarray:
        out = np.zeros(self._density.size)
        out[self._inner] = inner
        return out


def _mode_of_square(total: float, groups: int, prior: Prior) -> float:
    """Square of the spread that maximises ``s^-G exp(-total/(2 s^2))`` times a HalfNormal prior.

    With its scale h that is the root of ``s^4/h^2 + G s^2 - total``; other priors are ignored.
    """
    if prior.family != "HalfNormal":
        return total / groups
    square = prior.arguments["sigma"] ** 2
    return 2.0 * total / (groups + np.sqrt(groups**2 + 4.0 * total / square))
