"""Drift: what a law may be wrong by beyond the runs it was fitted to.

No published law is exact, and a posterior that takes it as exact is sure of extrapolations that
fail. Where a law is fitted it was checked, to within the noise; beyond, its slope may drift, and so
may the ratio of sizes at which it is best. With g(x) the distance in e-folds beyond the runs (the
largest, over each size and the product of all sizes, of how far a point lies outside their range)
and G(x) that of the product alone beyond the largest run, the log loss at a point x is

    log L(N exp(t G), D exp(-t G)) + kappa (m + z) g(x),
        kappa = scale (sigma/at)^power,   z ~ Normal(0, 1),   t ~ Normal(0, tilt^2),

and a single run scatters about that by ``kappa own g(x)`` more than by its noise of scale sigma.
``scale`` is in log loss per e-fold; the lean m says on which side of a law's forecasts runs come to
lie: below those of most laws, hence negative. One (z, t) belongs to one posterior draw, so that
drift is a change of form and not noise: forecasts of several runs err together. Under
``C = 6 N D`` the tilt moves the optimum N* by the factor exp(-t G) and D* by its inverse, and
leaves the least loss what it was.

How large all this is, forecasts of real tables say: `bayescale.models.drift_reference`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from bayescale.distributions.prior import Prior
from bayescale.errors import UsageError
from theory.declaration.namespace import ArrayNamespace, Environment

NO_LEAN = Prior.fixed(0.0)

MOST = 100.0
"""No power, noise scale, tilt or scatter of a drift is larger."""


@dataclass(frozen=True)
class Drifts:
    """The drift of every draw of a posterior.

    Parameters
    ----------
    scale
        kappa: standard deviation of the slope.
    slope
        ``kappa (m + z)``: log loss per e-fold beyond the runs.
    tilt
        t: e-folds of the ratio of two sizes per e-fold of their product beyond the runs.
    own
        ``kappa own``: standard deviation of single runs per e-fold beyond the runs.
    """

    scale: Float[np.ndarray, "draw 1"]
    slope: Float[np.ndarray, "draw 1"]
    tilt: Float[np.ndarray, "draw 1"]
    own: Float[np.ndarray, "draw 1"]


@dataclass(frozen=True)
class Drift:
    """Random drift of a law beyond the runs.

    Parameters
    ----------
    scale
        Distribution of the standard deviation of the slope, in log loss per e-fold, at a noise of
        scale `at`; positive.
    power
        By which power of the noise scale it grows: 0 is none, 1 in proportion.
    at
        The noise scale at which `scale` is meant.
    lean
        Distribution of the mean slope, in units of that standard deviation.
    tilt
        Standard deviation of the tilt, in e-folds of N (and, inversely, D) per e-fold of the
        product; laws of other than two sizes have none.
    own
        Scatter of a single run, in units of the slope's standard deviation.

    Raises
    ------
    UsageError
        If the scale may be negative, or a number is.
    """

    scale: Prior
    power: float = 0.0
    at: float = 1.0
    lean: Prior = NO_LEAN
    tilt: float = 0.0
    own: float = 0.0

    def __post_init__(self) -> None:
        if self.scale.bounds[0] < 0:
            raise UsageError(
                f"the scale of a drift is not negative, but {self.scale!r} reaches to "
                f"{self.scale.bounds[0]:g}; choose a LogNormal, a HalfNormal or a number."
            )
        if not 0 < self.at <= MOST:
            raise UsageError(
                f"at= is a noise scale, a positive number up to {MOST:g}; got {self.at:g}."
            )
        for name in ("power", "tilt", "own"):
            if not 0 <= getattr(self, name) <= MOST:
                raise UsageError(
                    f"{name}= of a drift is from 0 to {MOST:g}; got {getattr(self, name):g}."
                )

    @classmethod
    def in_noise(cls, rate: Prior) -> "Drift":
        """Drift in units of the noise scale: a slope of `rate` noise scales per e-fold, no lean."""
        return cls(rate, power=1.0)

    def draw(self, sigma: Float[np.ndarray, "draw 1"], seed: int) -> Drifts:
        """The drift of each draw.

        Parameters
        ----------
        sigma
            Noise scale, draw by draw.
        seed
            Seed of scale, lean and direction.
        """
        rng = np.random.default_rng([seed, 0xD21F7])
        kappa = self.scale.sample(rng, sigma.shape) * (sigma / self.at) ** self.power
        z = self.lean.sample(rng, sigma.shape) + rng.standard_normal(sigma.shape)
        tilt = self.tilt * rng.standard_normal(sigma.shape)
        return Drifts(kappa, kappa * z, tilt, kappa * self.own)

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {
            "scale": self.scale.to_dict(),
            "power": self.power,
            "at": self.at,
            "lean": self.lean.to_dict(),
            "tilt": self.tilt,
            "own": self.own,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Drift":
        """From the data that `to_dict` gave, of this version or of 0.1."""
        if "rate" in data:
            return cls.in_noise(Prior.from_dict(data["rate"]))
        priors = {name: Prior.from_dict(data[name]) for name in ("scale", "lean")}
        return cls(**{**data, **priors})


def beyond(seen: Environment, at: Environment, sizes: Sequence[str]) -> Any:
    """How many e-folds points lie beyond runs: in any size, or in the product of all.

    Parameters
    ----------
    seen
        Log resources of the runs by name, (run,).
    at
        Log resources of the points; arrays that broadcast.
    sizes
        Names of the resources that are spent.
    """
    out: Any = 0.0
    for side in sides(seen, at, sizes):
        out = np.maximum(out, side)
    return out


def sides(seen: Mapping[str, Any], at: Mapping[str, Any], sizes: Sequence[str]) -> list[Any]:
    """E-folds beyond the runs by side, negative within: above and below, by size and product."""
    total = [sum(logs[name] for name in sizes) for logs in (seen, at)]
    pairs = [(seen[name], at[name]) for name in sizes] + [tuple(total)]
    return [
        side for runs, points in pairs for side in (points - np.max(runs), np.min(runs) - points)
    ]


def largest_product(seen: Mapping[str, Any], sizes: Sequence[str]) -> float:
    """Log of the largest product of all sizes among the runs."""
    return float(np.max(sum(seen[name] for name in sizes)))


def tilted(
    at: Mapping[str, Any], sizes: Sequence[str], tilt: Any, top: Any, ops: ArrayNamespace
) -> dict[str, Any]:
    """The sizes at which a tilted law has the loss that the law has at given ones.

    Parameters
    ----------
    at
        Log resources of points; arrays that broadcast with `tilt`.
    sizes
        Names of the two sizes that are spent; with another number of them nothing is moved.
    tilt
        See `Drifts`.
    top
        What `largest_product` gives.
    ops
        Array namespace.
    """
    if len(sizes) != 2:
        return dict(at)
    first, second = sizes
    moved = tilt * ops.maximum(at[first] + at[second] - top, 0.0)
    return {**at, first: at[first] + moved, second: at[second] - moved}
