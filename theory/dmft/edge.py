"""Edges of the spectrum of the kernel, and with them the edge of stability.

The eigenvalues of ``F C`` (F = A^T A/N, C = Psi^T Psi/P) fill intervals of [E-, E+], with

    -E+ = max over kappa < -lambda_1 of z(kappa),
    -E- = min over kappa_1 < kappa < kappa_0 of z(kappa),   df1(kappa_0) = min(N, P),
                                                             df1(kappa_1) = max(N, P).

Gradient descent is stable for learning rates below ``2/E+``, heavy ball below
``2 (1 + momentum)/E+``.
"""

from typing import Any

import jax
import jax.numpy as jnp

from theory.dmft.scale import forward_map
from theory.mode_sums import lift, scale_of_rank

HALVINGS = 100
"""Of the interval of log kappa."""


def upper_edge(spectrum: Any, inverse_N: Any, inverse_P: Any) -> Any:
    """``E+``, the largest eigenvalue; arguments as of `lower_edge`.

    Where both sizes are infinite it is ``lambda_1``.
    """
    lam, weights, (N, P) = _parts(spectrum, inverse_N, inverse_P)
    first = lift(lam[..., :1], N.ndim)

    def at(x: Any) -> tuple[Any, Any]:
        value, slope = forward_map(-first * (1 + jnp.exp(x)), N, P, lam, weights)
        return value, slope > 0  # z rises with kappa: the maximum is nearer to -lambda_1

    shape = jnp.broadcast_shapes(first.shape, N.shape)
    trace = lift(jnp.sum(weights, -1, keepdims=True), N.ndim)
    size = trace * jnp.maximum(N, P) / first
    high = jnp.log(10 + 10 * size)
    x = _bisect(at, jnp.full(shape, -40.0, lam.dtype), jnp.broadcast_to(high, shape))
    value = -at(x)[0]
    return jnp.where((N == 0) & (P == 0), first, value)[..., 0]


def lower_edge(spectrum: Any, inverse_N: Any, inverse_P: Any) -> Any:
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

    def at(x: Any) -> tuple[Any, Any]:
        value, slope = forward_map(jnp.exp(x), N, P, lam, weights)
        return value, slope > 0

    low_x = jnp.log(jnp.where(bottom > 0, bottom, jnp.minimum(smallest, safe / 2)))
    x = _bisect(at, jnp.broadcast_to(low_x, safe.shape), jnp.log(safe))
    value = jnp.where(top > 0, jnp.maximum(-at(x)[0], 0.0), 0.0)
    return value[..., 0]


def _parts(spectrum: Any, inverse_N: Any, inverse_P: Any) -> tuple[Any, Any, tuple[Any, Any]]:
    lam, weights = spectrum.eigenvalues, spectrum.counts * spectrum.eigenvalues
    N, P = jnp.broadcast_arrays(
        jnp.asarray(inverse_N, lam.dtype), jnp.asarray(inverse_P, lam.dtype)
    )
    return lam, weights, (N[..., None], P[..., None])


def _bisect(at: Any, low: Any, high: Any) -> Any:
    """Where z is stationary, between `low`, where it says False, and `high`, where True."""

    def halve(_: Any, ends: tuple[Any, Any]) -> tuple[Any, Any]:
        low, high = ends
        middle = (low + high) / 2
        beyond = at(middle)[1]
        return jnp.where(beyond, low, middle), jnp.where(beyond, middle, high)

    low, high = jax.lax.fori_loop(0, HALVINGS, halve, (low, high))
    return (low + high) / 2
