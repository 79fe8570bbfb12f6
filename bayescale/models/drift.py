"""Drift: what a law may be wrong by beyond the runs it was fitted to.

No published law is exact, and a posterior that takes it as exact is sure of extrapolations that
fail. Where a law is fitted it was checked, to within the noise; beyond, its slope may drift. So
the log loss at a point x beyond the runs is

    log L(x) + k sigma g(x) z ,    z ~ Normal(0, 1),    k ~ `rate`,

with sigma the scale of the noise, and g(x) the distance in e-folds beyond the runs: the largest,
over each size and the product of all sizes, of how far the point lies outside their range. Within
the range nothing changes. One z belongs to one posterior draw, so that the drift is a change of
slope and not noise. That the rate is in units of the noise was found on ten tables of runs, held
out beyond a cut of compute (see the calibration in the README): a law that leaves larger residuals
extrapolates worse in proportion.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from bayescale.distributions.prior import Prior
from bayescale.errors import UsageError
from theory.declaration.namespace import Environment, Numeric

RATE = Prior.around(1.0, 0.5)
"""Default distribution of the rate, per e-fold beyond the runs and in units of the noise scale."""


@dataclass(frozen=True)
class Drift:
    """Random drift of the log loss beyond the runs.

    Parameters
    ----------
    rate
        Distribution of k, a positive number per e-fold and unit of noise scale.

    Raises
    ------
    UsageError
        If the rate may be negative.
    """

    rate: Prior = RATE

    def __post_init__(self) -> None:
        if self.rate.bounds[0] < 0:
            raise UsageError(
                f"the rate of a drift is not negative, but {self.rate!r} reaches to "
                f"{self.rate.bounds[0]:g}; choose a LogNormal, a HalfNormal or a number."
            )

    def shift(
        self, sigma: Float[np.ndarray, "draw 1"], distance: Numeric, seed: int
    ) -> Float[np.ndarray, "draw point"]:
        """Random shift of log loss.

        Parameters
        ----------
        sigma
            Noise scale, draw by draw.
        distance
            What `beyond` gives, (point,) or (draw, point).
        seed
            Seed of rate and direction; the same seed gives every point the same z.
        """
        rng = np.random.default_rng([seed, 0xD21F7])
        rate = self.rate.sample(rng, sigma.shape)
        return rate * rng.standard_normal(sigma.shape) * sigma * distance

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {"rate": self.rate.to_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Drift":
        """From the data that `to_dict` gave."""
        return cls(Prior.from_dict(data["rate"]))


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
