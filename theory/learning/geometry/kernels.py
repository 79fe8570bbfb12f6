"""Kernels of a distance, by name, with the smoothness that sets how fast they learn."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from theory.errors import did_you_mean
from theory.learning.geometry.sample import GeometryError


@dataclass(frozen=True)
class RadialKernel:
    """A stationary kernel with value 1 at distance 0.

    Parameters
    ----------
    name
        As in `KERNELS`.
    smoothness
        ``t`` of ``1 - k(r) ~ |r|^t`` for the first term that is no even power: the learning
        curve on a d-dimensional manifold falls as ``D^(-t/d)`` or faster.
    of_distance
        The kernel, of the distance in length scales.
    """

    name: str
    smoothness: float
    of_distance: Callable[[Float[np.ndarray, "row other"]], Float[np.ndarray, "row other"]]


def _matern(order: int, factors: tuple[float, ...]) -> RadialKernel:
    """Matern kernel with ``nu = order/2``: a polynomial in ``s = sqrt(2 nu) r`` times exp(-s)."""

    def of_distance(
        distance: Float[np.ndarray, "row other"],
    ) -> Float[np.ndarray, "row other"]:
        scaled = math.sqrt(order) * distance
        return np.polynomial.Polynomial(factors)(scaled) * np.exp(-scaled)

    return RadialKernel(f"matern{order}2", float(order), of_distance)


KERNELS = {
    kernel.name: kernel
    for kernel in (
        RadialKernel("laplace", 1.0, lambda distance: np.exp(-distance)),
        _matern(3, (1.0, 1.0)),
        _matern(5, (1.0, 1.0, 1 / 3)),
        RadialKernel("rbf", math.inf, lambda distance: np.exp(-(distance**2) / 2)),
    )
}
"""Laplace is Matern with nu = 1/2; `matern32` and `matern52` have nu = 3/2 and 5/2.

References
----------
Rasmussen and Williams (2006), Gaussian Processes for Machine Learning, eqs. (4.9), (4.17), (4.18).
"""


def radial_kernel(name: str) -> RadialKernel:
    """The kernel of a name.

    Raises
    ------
    GeometryError
        There is none.

    Examples
    --------
    >>> radial_kernel("laplace").of_distance(np.array([[0.0, 1.0]])).round(3).tolist()
    [[1.0, 0.368]]
    """
    if name not in KERNELS:
        raise GeometryError(f"no kernel called '{name}'.{did_you_mean(name, KERNELS)}")
    return KERNELS[name]
