r"""Contours around the spectrum: nodes in the upper half plane, and how sums over them are taken.

A bilinear function of the resolvent is ``L = oint oint phi(z) phi(z') K(z, z')``. On the midpoint
nodes of a contour symmetric about the real axis, with C1 = K(z_i, z_j) and C2 = K(z_i, conj z_j),

    L = 2 Re[v^T C1 v' + v^T C2 conj v'],      v = weight * phi(z).

Weideman and Trefethen 2007 (Math. Comp. 76) for the hyperbola.
"""

import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

ANGLE = 0.75
"""phi of the window's hyperbola: near pi/4, equally far from the cut and from the vertical."""

HEAD = 3.0
"""``mu t1``: how far right of the origin the hyperbola passes."""


class Nodes(NamedTuple):
    """Nodes of the upper half of a contour and their weights ``dz/(2 pi i)``; (*batch, at)."""

    z: Array
    weight: Array


def hyperbola(first: Array, last: Array, nodes: int, *, accuracy: float) -> Nodes:
    """One hyperbola for all times in a window; ``z = mu (1 + sin(iu - phi))``.

    Parameters
    ----------
    first, last
        The window's times, (*batch,), of floating type.
    nodes
        Nodes of the upper half.
    accuracy
        Where ``exp(Re z t)`` at the first time is a hundredth of it the contour ends.
    """
    mu = HEAD / last
    cut = math.log(100 / accuracy)
    end = jnp.arccosh((1 + cut / (mu * first)) / math.sin(ANGLE))
    step = end / nodes
    u = step[..., None] * _midpoints(nodes, step)
    z, dz = _arc(u)
    return Nodes(mu[..., None] * z, (mu * step / (2 * math.pi))[..., None] * dz)


def nodes_for(first: float, last: float, accuracy: float) -> int:
    """Nodes with which `hyperbola` is that accurate, relative to a loss that falls slowly.

    The midpoint rule converges as ``exp(-2 pi d/h)`` with the strip's half-width d = pi/4.
    """
    cut = math.log(100 / accuracy)
    end = math.acosh((1 + cut * last / (HEAD * first)) / math.sin(ANGLE))
    return math.ceil(end * math.log(60 / accuracy) / (2 * math.pi * 0.75))


def point_hyperbola(t: Array, nodes: int) -> Nodes:
    """The hyperbola that is best for one time; (*batch,) -> (*batch, nodes).

    Eight nodes give about 1e-7, twelve 1e-10; rounding grows as ``exp(0.7 nodes)``, so sixteen is
    the most that helps in double precision and six in single.
    """
    phi = 1.172104229
    step, mu = 1.081792140 / nodes, 4.492075287 * nodes / t
    u = step * _midpoints(nodes, t)
    z, dz = _arc(u, phi)
    return Nodes(mu[..., None] * z, (mu * step / (2 * math.pi))[..., None] * dz)


def ellipse(edge: Array, width: Array, nodes: int) -> Nodes:
    """An ellipse around [-edge, 0] with foci at its ends, at elliptic radius `width`.

    ``z = (edge/2) (cosh(width + i theta) - 1)``: the midpoint rule in theta converges as
    ``exp(-2 nodes width)`` for polynomial filters.

    Parameters
    ----------
    edge
        ``E+``, (*batch,), of floating type.
    """
    theta = math.pi * _midpoints(nodes, edge) / nodes
    w = width + 1j * theta
    half = edge[..., None] / 2
    return Nodes(half * (jnp.cosh(w) - 1), half * jnp.sinh(w) / (2 * nodes))


def _midpoints(nodes: int, like: Array) -> Array:
    """``j + 1/2`` with the axes of `like` in front."""
    u = jnp.asarray(np.arange(nodes) + 0.5, dtype=like.dtype)
    return u.reshape((1,) * like.ndim + (nodes,))


def _arc(u: Array, phi: float = ANGLE) -> tuple[Array, Array]:
    """``1 + sin(iu - phi)`` and ``cos(iu - phi)``."""
    sin, cos, cosh, sinh = math.sin(phi), math.cos(phi), jnp.cosh(u), jnp.sinh(u)
    return (1 - sin * cosh) + 1j * (cos * sinh), cos * cosh + 1j * (sin * sinh)


def bilinear(same: Array, conjugate: Array, left: Array, right: Array) -> Array:
    """``2 Re[v^T C1 v' + v^T C2 conj v']`` for each time.

    Parameters
    ----------
    same, conjugate
        C1 and C2, (*batch, at, at').
    left, right
        v and v', (*batch, time, at).
    """
    high = "highest"
    acted = jnp.einsum("...ij,...tj->...ti", same, right, precision=high)
    acted += jnp.einsum("...ij,...tj->...ti", conjugate, jnp.conj(right), precision=high)
    return 2 * jnp.sum(left * acted, -1).real


def linear(values: Array, weights: Array) -> Array:
    """``2 Re sum v F`` over nodes, the single contour integral."""
    return 2 * jnp.sum(weights * values, -1).real
