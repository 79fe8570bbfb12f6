"""Few nodes for sums over very many modes: Gauss rules of the counting measure.

A sum over modes ``sum_k f(k)`` with f smooth in ``log k`` is a sum over the first modes as they
are, and over each octave of the others by the Gauss rule of the counting measure ``sum_k delta_k``
in the variable ``log k``: n nodes, exact for polynomials in log k of degree 2n - 1. The nodes
depend on no exponent, so sums over them can be differentiated in the exponents.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Float

COUNTED = 2**14
"""Up to here a panel's modes are counted; beyond, the sum is the integral from half to half. The
difference is ``f'(k)/24`` at this k alone, ``b/(24 k^2)`` of its octave: below 1e-9."""

FINE = 48
"""Gauss-Legendre points that stand for the modes of a panel beyond `COUNTED`."""


def gauss_rule(
    points: Float[np.ndarray, "point"], weights: Float[np.ndarray, "point"], order: int
) -> tuple[Float[np.ndarray, "node"], Float[np.ndarray, "node"]]:
    """The Gauss rule of a measure that is a sum of points.

    The recurrence coefficients of its orthogonal polynomials by Stieltjes' procedure, then nodes
    and weights from the Jacobi matrix (Golub and Welsch 1969).

    Parameters
    ----------
    points
        Where the mass is.
    weights
        How much; positive.
    order
        Number of nodes wanted. With no more points than that, the points are returned.

    Examples
    --------
    >>> nodes, weights = gauss_rule(np.array([0.0, 1.0, 2.0, 3.0]), np.ones(4), 2)
    >>> float((weights * nodes**3).sum().round(12))
    36.0
    """
    if len(points) <= order:
        return points, weights
    low, high = points.min(), points.max()
    x = (2 * points - low - high) / (high - low)
    total = weights.sum()
    diagonal, off = np.zeros(order), np.zeros(order)
    before, now = np.zeros_like(x), np.ones_like(x) / np.sqrt(total)
    for i in range(order):
        diagonal[i] = (weights * x * now**2).sum()
        following = (x - diagonal[i]) * now - (off[i - 1] if i else 0.0) * before
        off[i] = np.sqrt((weights * following**2).sum())
        before, now = now, following / off[i]
    matrix = np.diag(diagonal) + np.diag(off[:-1], 1) + np.diag(off[:-1], -1)
    nodes, vectors = np.linalg.eigh(matrix)
    return (nodes * (high - low) + low + high) / 2, total * vectors[0] ** 2


@lru_cache(maxsize=128)
def octave_rule(
    last: int, order: int
) -> tuple[Float[np.ndarray, "node"], Float[np.ndarray, "node"]]:
    """Nodes in ``log k`` and counts for sums over the modes 1 to `last`.

    Parameters
    ----------
    last
        The last mode.
    order
        Nodes an octave; the first ``2 * order`` modes are their own nodes.

    Examples
    --------
    >>> log_k, counts = octave_rule(10**6, 8)
    >>> len(log_k), round(float((counts * np.exp(-1.5 * log_k)).sum()), 7)
    (144, 2.6103753)
    """
    first = min(2 * order, last)
    nodes, counts = [np.log(np.arange(1, first + 1.0))], [np.ones(first)]
    low = first
    while low < last:
        high = min(2 * low, last)
        if high <= COUNTED or high - low <= order:
            points = np.log(np.arange(low + 1.0, high + 1.0))
            weights = np.ones(high - low)
        else:
            ends = np.log(low + 0.5), np.log(high + 0.5)
            x, w = np.polynomial.legendre.leggauss(FINE)
            half = (ends[1] - ends[0]) / 2
            points = half * x + (ends[0] + ends[1]) / 2
            weights = half * w * np.exp(points)
        found = gauss_rule(points, weights, order)
        nodes.append(found[0])
        counts.append(found[1])
        low = high
    return _frozen(np.concatenate(nodes)), _frozen(np.concatenate(counts))


@lru_cache(maxsize=8)
def chebyshev_tail(
    order: int,
) -> tuple[Float[np.ndarray, "node"], Float[np.ndarray, "node power"]]:
    """Fixed nodes y in (0, 1) and the matrix from moments ``m_j = int y^j dmu`` to weights.

    The interpolatory rule of any measure on (0, 1): exact for polynomials of degree order - 1.

    Examples
    --------
    >>> y, matrix = chebyshev_tail(4)
    >>> weights = matrix @ (1 / np.array([1.0, 2.0, 3.0, 4.0]))  # the uniform measure
    >>> float((weights * y**3).sum().round(12))
    0.25
    """
    y = (1 + np.cos(np.pi * (np.arange(order) + 0.5) / order)) / 2
    return _frozen(y), _frozen(np.linalg.inv(np.vander(y, order, increasing=True).T))


def compress(
    eigenvalues: Float[np.ndarray, "mode"],
    powers: Float[np.ndarray, "mode"],
    *,
    order: int,
    kept: int,
) -> tuple[Float[np.ndarray, "node"], Float[np.ndarray, "node"], Float[np.ndarray, "node"]]:
    """Nodes for sums ``sum_k lambda_k g(lambda_k)`` and ``sum_k p_k g(lambda_k)``.

    The largest `kept` modes are their own nodes. The others are taken in panels over which lambda
    falls by a factor of two: the Gauss rule of the counting measure in ``log lambda``, and at its
    nodes the interpolatory weights of the powers.

    Returns
    -------
    eigenvalues, powers, counts
        At the nodes, largest first; ``sum counts * powers`` is the sum of the powers.
    """
    order_of = np.argsort(-eigenvalues, kind="stable")
    lam, p = eigenvalues[order_of], powers[order_of]
    positive = int((lam > 0).sum())
    nodes, power, counts = [lam[:kept]], [p[:kept]], [np.ones(min(kept, len(lam)))]
    low = min(kept, positive)
    while low < positive:
        high = low + int(np.searchsorted(-lam[low:positive], -lam[low] / 2, side="right"))
        block, mass = np.log(lam[low:high]), p[low:high]
        values, members = np.unique(block, return_inverse=True)
        x, c = gauss_rule(values, np.bincount(members).astype(float), order)
        if len(values) <= order:
            share = np.bincount(members, weights=mass)
        else:
            share = _lagrange(x, block) @ mass
        nodes.append(np.exp(x[::-1]))
        power.append((share / c)[::-1])
        counts.append(c[::-1])
        low = high
    if len(lam) > max(positive, kept):  # modes that are never learnt, as one
        rest = p[max(positive, kept) :]
        nodes.append(np.zeros(1))
        power.append(np.array([rest.mean()]))
        counts.append(np.array([float(len(rest))]))
    return np.concatenate(nodes), np.concatenate(power), np.concatenate(counts)


def _lagrange(
    nodes: Float[np.ndarray, "node"], at: Float[np.ndarray, "point"]
) -> Float[np.ndarray, "node point"]:
    """Lagrange's basis polynomials of the nodes, barycentric."""
    gaps = nodes[:, None] - nodes[None, :] + np.eye(len(nodes))
    weights = 1 / gaps.prod(axis=1)
    away = at[None, :] - nodes[:, None]
    away = np.where(away == 0, np.finfo(float).tiny ** 0.5, away)
    terms = weights[:, None] / away
    return terms / terms.sum(axis=0)


def _frozen(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array
