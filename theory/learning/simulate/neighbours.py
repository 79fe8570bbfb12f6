r"""Distances to the nearest of D random points, and the error of a model that copies its label.

On a torus of dimension d, which has no boundary, the mean distance is
``(V_d D)^(-1/d) Gamma(1 + 1/d)`` for large D, V_d the volume of the unit ball. Copying the label of
the nearest example (1-nearest-neighbour regression) has an absolute error of that order for a
Lipschitz teacher, ``D^(-1/d)``, and its square falls as ``D^(-2/d)``.

Sources: Evans, Jones and Schmidt 2002, Proc. R. Soc. Lond. A 458, 2839; Bahri et al. 2021,
arXiv:2102.06701 (bounds on resolution-limited exponents).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64

from theory.errors import TheoryError
from theory.learning.simulate.averaged import Simulated, summarise

__all__ = ["Neighbours", "neighbours"]


@final
@dataclass(frozen=True, eq=False)
class Neighbours:
    """What was measured at each number of examples.

    Parameters
    ----------
    examples
        D, (size,).
    distance
        Mean distance to the nearest, in sides of the torus; with an axis over sizes.
    absolute, squared
        Mean absolute and squared error of the copied label; likewise.
    """

    examples: Float64[np.ndarray, " size"]
    distance: Simulated
    absolute: Simulated
    squared: Simulated

    def exponents(self) -> dict[str, float]:
        """Minus the slopes in log-log, by least squares, of the three quantities."""
        logs = np.log(self.examples)
        return {
            name: float(-np.polyfit(logs, np.log(getattr(self, name).mean), 1)[0])
            for name in ("distance", "absolute", "squared")
        }


def neighbours(
    dimension: int,
    examples: Sequence[int],
    *,
    queries: int = 2000,
    draws: int = 10,
    seed: int = 0,
) -> Neighbours:
    """Draw examples and queries uniformly on a torus and find the nearest of each query.

    The teacher is ``sum_j cos(2 pi x_j + phase_j)`` over axes, with the phases drawn.

    Parameters
    ----------
    dimension
        d.
    examples
        Sizes D, two or more of them for exponents.
    queries
        Points at which each draw is measured.
    draws, seed
        Number of draws of everything, and their seed.

    Raises
    ------
    TheoryError
        If a count is out of range.

    Examples
    --------
    >>> found = neighbours(2, [100, 1000], queries=500, draws=5)
    >>> bool(abs(found.exponents()["distance"] - 1 / 2) < 0.05)
    True
    """
    from scipy.spatial import KDTree

    sizes = np.asarray(examples)
    if sizes.ndim != 1 or not len(sizes) or sizes.dtype.kind not in "iu" or sizes.min() < 1:
        raise TheoryError(
            f"examples must be a list of whole numbers of at least 1; got {examples}."
        )
    for name, value in (("dimension", dimension), ("queries", queries)):
        if value < 1:
            raise TheoryError(f"{name} must be a whole number of at least 1; got {value}.")
    found = np.empty((draws, len(sizes), 3))
    for draw in range(draws):
        rng = np.random.default_rng([seed, draw])
        phase = 2 * math.pi * rng.uniform(size=dimension)
        for place, count in enumerate(sizes):
            points, asked = (
                rng.uniform(size=(count, dimension)),
                rng.uniform(size=(queries, dimension)),
            )
            distance, nearest = KDTree(points, boxsize=1.0).query(asked)
            labels, truth = (
                np.cos(2 * math.pi * x + phase).sum(axis=1) for x in (points[nearest], asked)
            )
            error = labels - truth
            found[draw, place] = distance.mean(), np.abs(error).mean(), (error**2).mean()
    measured = (summarise(found[:, :, which], seed) for which in range(3))
    return Neighbours(sizes.astype(np.float64), *measured)
