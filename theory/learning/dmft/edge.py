"""Edges of the spectrum of the kernel, and with them the edge of stability.

The eigenvalues of ``F C`` (F = A^T A/N, C = Psi^T Psi/P) fill intervals of [E-, E+], with

    -E+ = max over kappa < -lambda_1 of z(kappa),
    -E- = min over kappa_1 < kappa < kappa_0 of z(kappa),   df1(kappa_0) = min(N, P),
                                                             df1(kappa_1) = max(N, P).

Gradient descent is stable for learning rates below ``2/E+``, heavy ball below
``2 (1 + momentum)/E+``.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpy.typing import ArrayLike

from theory.learning.dmft.points import Points
from theory.learning.dmft.scale import forward_map
from theory.learning.mode_sums import lift, scale_of_rank
from theory.learning.task import AbstractSpectrum, AbstractTask

HALVINGS = 100
"""Halvings of the interval of log kappa."""


def upper_edge(
    spectrum: AbstractSpectrum, inverse_N: Array, inverse_P: Array, inverse_M: float = 0.0
) -> Array:
    """``E+``, the largest eigenvalue; arguments as of `lower_edge`.

    Where both sizes are infinite it is ``lambda_1``. With `inverse_M` as of
    `theory.learning.dmft.scale.forward_map` it is that of orthogonal rows.
    """
    lam, weights, (N, P) = _parts(spectrum, inverse_N, inverse_P)
    first = lift(lam[..., :1], N.ndim)

    def at(x: Array) -> tuple[Array, Array]:
        value, slope = forward_map(-first * (1 + jnp.exp(x)), N, P, lam, weights, inverse_M)
        return value, slope > 0  # z rises with kappa: the maximum is nearer to -lambda_1

    shape = jnp.broadcast_shapes(first.shape, N.shape)
    trace = lift(jnp.sum(weights, -1, keepdims=True), N.ndim)
    size = trace * jnp.maximum(N, P) / first
    high = jnp.log(10 + 10 * size)
    x = _bisect(at, jnp.full(shape, -40.0, lam.dtype), jnp.broadcast_to(high, shape))
    value = -at(x)[0]
    return jnp.where((N == 0) & (P == 0), first, value)[..., 0]


def lower_edge(spectrum: AbstractSpectrum, inverse_N: Array, inverse_P: Array) -> Array:
    """``E-``, the smallest positive eigenvalue; 0 where N = P, or M is infinite and N or P too.

    Parameters
    ----------
    spectrum
        With nodes of shape (*batch, node).
    inverse_N, inverse_P
        ``1/N`` and ``1/P``, (*batch,).
    """
    lam, weights, (N, P) = _parts(spectrum, inverse_N, inverse_P)
    high, low = jnp.maximum(N, P), jnp.minimum(N, P)
    least = jnp.where(high > 0, 1 / jnp.where(high > 0, high, 1.0), jnp.inf)
    most = jnp.where(low > 0, 1 / jnp.where(low > 0, low, 1.0), jnp.inf)
    top = scale_of_rank(spectrum, least[..., 0])[..., None]
    bottom = scale_of_rank(spectrum, most[..., 0])[..., None]
    smallest = lift(lam[..., -1:], N.ndim) * 1e-6
    safe = jnp.where(top > 0, top, 1.0)

    def at(x: Array) -> tuple[Array, Array]:
        value, slope = forward_map(jnp.exp(x), N, P, lam, weights)
        return value, slope > 0

    low_x = jnp.log(jnp.where(bottom > 0, bottom, jnp.minimum(smallest, safe / 2)))
    x = _bisect(at, jnp.broadcast_to(low_x, safe.shape), jnp.log(safe))
    value = jnp.where(top > 0, jnp.maximum(-at(x)[0], 0.0), 0.0)
    return value[..., 0]


def _parts(
    spectrum: AbstractSpectrum, inverse_N: Array, inverse_P: Array
) -> tuple[Array, Array, tuple[Array, Array]]:
    lam, weights = spectrum.eigenvalues, spectrum.counts * spectrum.eigenvalues
    N, P = jnp.broadcast_arrays(
        jnp.asarray(inverse_N, lam.dtype), jnp.asarray(inverse_P, lam.dtype)
    )
    return lam, weights, (N[..., None], P[..., None])


def _bisect(at: Callable[[Array], tuple[Array, Array]], low: Array, high: Array) -> Array:
    """Where z is stationary, between `low`, where it says False, and `high`, where True."""

    def halve(_: object, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        beyond = at(middle)[1]
        return jnp.where(beyond, low, middle), jnp.where(beyond, middle, high)

    low, high = jax.lax.fori_loop(0, HALVINGS, halve, (low, high))
    return (low + high) / 2


_lower = jax.jit(lower_edge)
_upper = partial(jax.jit, static_argnums=3)(upper_edge)


def upper_edge_of(
    task: AbstractTask, N: np.ndarray, P: np.ndarray, inverse_M: float = 0.0
) -> np.ndarray:
    """``E+`` at sizes on the host, (point,)."""
    points = Points(N, P, N, N, N.shape).padded()
    return np.asarray(_upper(task, 1 / points.N, 1 / points.P, inverse_M))[: len(N)]


def stability_edge(task: AbstractTask, N: ArrayLike, P: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """``(E-, E+)``, the smallest and largest positive eigenvalue of the kernel.

    Gradient descent is stable below a learning rate of ``2/E+``, heavy ball below
    ``2 (1 + momentum)/E+``; gradient flow is over its slowest mode after ``1/E-``.

    Parameters
    ----------
    task
        A spectrum.
    N, P
        Sizes, which broadcast; ``inf`` allowed.

    Examples
    --------
    >>> from theory.learning.spectrum import PowerLaw
    >>> low, high = stability_edge(PowerLaw(a=1.5, b=1.25, modes=800), N=64, P=128)
    >>> round(float(low), 6), round(float(high), 4)
    (0.001314, 1.4176)
    """
    points = Points.of(N, P, 0.0, 0.0, discrete=False)
    with jax.enable_x64(True):
        mode = np.minimum(points.N, points.P)
        finite = mode[np.isfinite(mode)]
        task = task.resolved(mode=float(finite.max()) if len(finite) else 1e3, accuracy=1e-8)
        low = np.asarray(_lower(task, 1 / points.N, 1 / points.P))
        high = upper_edge_of(task, points.N, points.P)
    return low.reshape(points.shape), high.reshape(points.shape)
