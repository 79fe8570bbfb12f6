r"""Inputs with a kernel whose spectrum is known: tori, spheres, and the rows of a data matrix.

Each knows how to draw points, and the kernel ``K^p(x, y) = sum_k lambda_k^p psi_k(x) psi_k(y)``
with ``E psi_j psi_k = 1(j = k)`` over the points, for p = 1 and 2.
"""

import itertools
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64, Int, Key

from theory.errors import TheoryError
from theory.learning.spectrum import Measured

Arrays = tuple[np.ndarray | Array, ...]
"""What inputs are drawn from: NumPy arrays on the host, JAX arrays inside a draw."""

MOST_MODES = 100_000
"""Most modes of a domain; its features of all points are held in memory."""

ROUNDING = 1e-14
"""Share of the largest eigenvalue of a matrix of kernels below which an eigenvalue is zero."""


class AbstractInputs(ABC):
    """What a simulated regression asks of its inputs.

    Methods that run under `jax.jit` get `arrays`, a pytree, beside the object, which is static.
    """

    @property
    @abstractmethod
    def spectrum(self) -> Measured:
        """Eigenvalues of the kernel, largest first, and an isotropic teacher: ``p = lambda``."""

    @property
    @abstractmethod
    def arrays(self) -> Arrays:
        """What is drawn from and evaluated with."""

    @property
    def most(self) -> float:
        """How many distinct points there are."""
        return math.inf

    @abstractmethod
    def draw(self, key: Key[Array, ""], count: int, arrays: Arrays) -> Array:
        """Independent points, the first axis over them."""

    @abstractmethod
    def kernels(self, points: np.ndarray | Array, arrays: Arrays) -> tuple[Array, Array]:
        """``K`` and ``K^2`` between all pairs of points."""

    def features(self, points: np.ndarray | Array, arrays: Arrays) -> Array:
        """``psi`` of the points, (sample, mode), in the order of `spectrum`.

        Raises
        ------
        TheoryError
            If they are not known one by one.
        """
        raise TheoryError(
            f"the features of {type(self).__name__} are not known one by one; use kernel_curve, or "
            "a Torus or Rows."
        )


class _WithFeatures(AbstractInputs):
    """Inputs of which every feature is known."""

    def kernels(self, points: np.ndarray | Array, arrays: Arrays) -> tuple[Array, Array]:
        """From the features."""
        psi, lam = self.features(points, arrays), arrays[0]
        scaled = psi * lam[None, :]
        return scaled @ psi.T, scaled @ scaled.T


@final
@dataclass(frozen=True)
class Torus(_WithFeatures):
    """Uniform points on ``[0, 2 pi)^d``, with ``lambda_k = (1 + |k|^2)^-s`` for whole k_i to K.

    The kernel has the smoothness ``t = 2 s - d`` (``1 - K ~ r^t``), so that
    ``alpha_K = 2 s/d - 1 = t/d``.

    Parameters
    ----------
    dimension
        d.
    smoothness
        s, above d/2.
    frequencies
        K, where the sum is cut.

    Raises
    ------
    TheoryError
        If a number is out of its range.

    Examples
    --------
    >>> square = Torus(dimension=2, smoothness=1.5, frequencies=3)
    >>> square.alpha, square.spectrum.modes, square.spectrum.given_eigenvalues[:2].round(3).tolist()
    (0.5, 49, [1.0, 0.354])
    """

    dimension: int
    smoothness: float
    frequencies: int

    def __post_init__(self) -> None:
        _require(self.dimension, self.smoothness, "frequencies", self.frequencies)
        if (2 * self.frequencies + 1) ** self.dimension > MOST_MODES:
            raise TheoryError(
                f"{self.frequencies} frequencies in {self.dimension} dimensions make "
                f"{(2 * self.frequencies + 1) ** self.dimension} modes, above {MOST_MODES}; take "
                "fewer."
            )

    @property
    def alpha(self) -> float:
        """``alpha_K = 2 s/d - 1`` of the kernel without a cut."""
        return 2 * self.smoothness / self.dimension - 1

    @cached_property
    def _lattice(self) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues in falling order, and wave vectors (mode, axis): k for cos, -k for sin."""
        along = range(-self.frequencies, self.frequencies + 1)
        k = np.array(list(itertools.product(along, repeat=self.dimension)))
        square = (k**2).sum(axis=1)
        order = np.argsort(square, kind="stable")
        return (1.0 + square[order]) ** -self.smoothness, k[order].astype(float)

    @property
    def spectrum(self) -> Measured:
        """See `AbstractInputs`."""
        lam, _ = self._lattice
        return Measured(lam, lam)

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Eigenvalues, wave vectors, and 0 where the wave is a cosine, 1 for a sine."""
        lam, k = self._lattice
        first = np.array([row[np.flatnonzero(row)[0]] if row.any() else 1.0 for row in k])
        return lam, k, (first < 0).astype(float)

    def draw(
        self, key: Key[Array, ""], count: int, arrays: Arrays
    ) -> Float64[Array, "sample axis"]:
        """Uniform."""
        del arrays
        return 2 * jnp.pi * jax.random.uniform(key, (count, self.dimension))

    def features(self, points: np.ndarray | Array, arrays: Arrays) -> Float64[Array, "sample mode"]:
        """``1, sqrt(2) cos k.x, sqrt(2) sin k.x``."""
        _, k, sine = arrays
        flat = jnp.all(k == 0, axis=1)
        wave = jnp.cos(points @ k.T - (jnp.pi / 2 * sine)[None, :])
        return wave * jnp.where(flat, 1.0, jnp.sqrt(2.0))[None, :]


@final
@dataclass(frozen=True)
class Sphere(AbstractInputs):
    """Uniform points on the sphere S^d, with ``lambda = (1 + l (l + d - 1))^-s`` in degrees l.

    The kernel is a sum of Gegenbauer polynomials of ``x . y`` (addition theorem); on S^1 it is
    that of `Torus` in one dimension.

    Parameters
    ----------
    dimension
        d: 2 is the ordinary sphere.
    smoothness
        s, above d/2; ``alpha_K = 2 s/d - 1``.
    degrees
        The last degree of the sum.

    Raises
    ------
    TheoryError
        If a number is out of its range.

    Examples
    --------
    >>> Sphere(dimension=2, smoothness=1.5, degrees=3).spectrum.modes
    16
    """

    dimension: int
    smoothness: float
    degrees: int

    def __post_init__(self) -> None:
        _require(self.dimension, self.smoothness, "degrees", self.degrees)
        if (modes := int(self._counts.sum())) > MOST_MODES:
            raise TheoryError(
                f"{self.degrees} degrees in {self.dimension} dimensions make {modes} modes, above "
                f"{MOST_MODES}; take fewer."
            )

    @property
    def alpha(self) -> float:
        """``alpha_K = 2 s/d - 1`` of the kernel without a cut."""
        return 2 * self.smoothness / self.dimension - 1

    @property
    def _counts(self) -> Int[np.ndarray, " degree"]:
        """Harmonics of each degree: ``C(l + d, d) - C(l + d - 2, d)``."""
        d = self.dimension
        return np.array(
            [
                math.comb(l + d, d) - (math.comb(l + d - 2, d) if l > 1 else 0)
                for l in range(self.degrees + 1)  # noqa: E741
            ]
        )

    @property
    def _eigenvalues(self) -> Float[np.ndarray, " degree"]:
        degree = np.arange(self.degrees + 1.0)
        return (1 + degree * (degree + self.dimension - 1)) ** -self.smoothness

    @property
    def spectrum(self) -> Measured:
        """See `AbstractInputs`."""
        lam = np.repeat(self._eigenvalues, self._counts)
        return Measured(lam, lam)

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalue and number of harmonics of each degree."""
        return self._eigenvalues, self._counts.astype(float)

    def draw(
        self, key: Key[Array, ""], count: int, arrays: Arrays
    ) -> Float64[Array, "sample axis"]:
        """Normal vectors, normalised."""
        del arrays
        vectors = jax.random.normal(key, (count, self.dimension + 1))
        return vectors / jnp.linalg.norm(vectors, axis=1, keepdims=True)

    def kernels(self, points: np.ndarray | Array, arrays: Arrays) -> tuple[Array, Array]:
        """Kernels by the recurrence of Gegenbauer polynomials with ``P_l(1) = 1``."""
        lam, counts = map(jnp.asarray, arrays)
        cosine, d = jnp.asarray(points @ points.T), self.dimension

        def add(carry: tuple[Array, ...], at: tuple[Array, ...]) -> tuple[tuple[Array, ...], None]:
            before, now, first, second = carry
            degree, eigenvalue, count = at
            first = first + count * eigenvalue * now
            second = second + count * eigenvalue**2 * now
            above = ((2 * degree + d - 1) * cosine * now - degree * before) / (degree + d - 1)
            return (now, above, first, second), None

        constant = jnp.ones_like(cosine)
        start = (
            constant,
            cosine,
            counts[0] * lam[0] * constant,
            counts[0] * lam[0] ** 2 * constant,
        )
        degrees = jnp.arange(1.0, self.degrees + 1)
        (_, _, one, two), _ = jax.lax.scan(
            add, start, (degrees, jnp.asarray(lam[1:]), jnp.asarray(counts[1:]))
        )
        return one, two


@final
@dataclass(frozen=True, eq=False)
class Rows(_WithFeatures):
    """The rows of a data matrix as all there is: points are drawn without replacement from them.

    Losses are means over all rows, those drawn included, on which the error is zero: the mean over
    the others is ``n/(n - D)`` times as large.

    Parameters
    ----------
    gram
        Kernel between all pairs of the n rows, symmetric and positive semidefinite.

    Raises
    ------
    TheoryError
        If it is no such matrix.

    Examples
    --------
    >>> line = np.linspace(0, 1, 50)
    >>> rows = Rows(np.exp(-abs(line[:, None] - line[None, :])))
    >>> rows.spectrum.modes, rows.spectrum.given_eigenvalues.sum().round(6).item()
    (50, 1.0)
    """

    gram: Float[np.ndarray, "row row"]

    def __post_init__(self) -> None:
        gram = self.gram
        size = np.abs(gram).max() if gram.size else 0.0
        if not (
            np.isfinite(gram).all() and size > 0 and np.abs(gram - gram.T).max() <= 1e-9 * size
        ):
            raise TheoryError(
                "a matrix of kernels must be symmetric and finite, and not all zero; make it with "
                "a kernel between all pairs of rows, in double precision."
            )
        if self._decomposed[0].min() < -1e-9 * self._decomposed[0].max():
            raise TheoryError(
                f"the matrix of kernels has the eigenvalue {self._decomposed[0].min():.3g}, and "
                "none may be negative; pass a positive definite kernel."
            )

    @property
    def most(self) -> float:
        """The rows."""
        return len(self.gram)

    @cached_property
    def _decomposed(self) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues of ``K/n``, largest first, and ``psi`` as columns."""
        n = len(self.gram)
        values, vectors = np.linalg.eigh(self.gram / n)
        return values[::-1], math.sqrt(n) * vectors[:, ::-1]

    @property
    def spectrum(self) -> Measured:
        """See `AbstractInputs`."""
        lam = self.arrays[0]
        return Measured(lam, lam)

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues, those of rounding set to zero, and ``psi`` as columns."""
        lam, psi = self._decomposed
        return np.where(lam > ROUNDING * lam[0], lam, 0.0), psi

    def draw(self, key: Key[Array, ""], count: int, arrays: Arrays) -> Int[Array, " sample"]:
        """Indices of rows, without replacement."""
        return jax.random.permutation(key, len(arrays[1]))[:count]

    def features(self, points: np.ndarray | Array, arrays: Arrays) -> Float64[Array, "sample mode"]:
        """Eigenvectors at the rows drawn."""
        return arrays[1][points]


def _require(dimension: int, smoothness: float, name: str, cut: int) -> None:
    for what, value in (("dimension", dimension), (name, cut)):
        if isinstance(value, bool) or value != int(value) or value < 1:
            raise TheoryError(f"{what} must be a whole number of at least 1; got {value}.")
    if not dimension / 2 < smoothness < math.inf:
        raise TheoryError(
            f"smoothness s must exceed d/2 = {dimension / 2:g}, or the kernel is no function; got "
            f"{smoothness}."
        )
