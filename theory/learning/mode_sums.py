"""Sums over the modes of a spectrum at one or two scales kappa, and the scale of a rank.

Everything the deterministic equivalents of random features and of kernel regression need:
``df1``, ``q``, and their divided differences ``B``, ``df2``, ``S0``, ``S1``.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from theory.learning.task import AbstractSpectrum

NEWTON = 100
"""Most steps to the scale of a rank; they are monotone, and usually ten."""


class OnePoint(NamedTuple):
    """Sums over modes at a scale kappa, and their derivatives in it."""

    kappa: Array
    df1: Array
    df1_slope: Array
    q: Array
    q_slope: Array


class TwoPoint(NamedTuple):
    """Sums over modes at two scales; ``(..) = (kappa + lambda)(kappa' + lambda)``."""

    B: Array
    df2: Array
    S0: Array
    S1: Array


def lift(array: Array, ndim: int) -> Array:
    """The array with axes of length 1 in front, so that it has `ndim` axes."""
    return array.reshape((1,) * (ndim - array.ndim) + array.shape)


def sum_over_nodes(weights: Array, factor: Array) -> Array:
    """``sum of weights * factor``, for weights (*batch, node) and factor (*batch, at, node)."""
    return jnp.sum(lift(weights[..., None, :], factor.ndim) * factor, -1)


def inverse(eigenvalues: Array, kappa: Array) -> Array:
    """``1/(kappa + lambda)`` of shape (*batch, at, node) for kappa of shape (*batch, at)."""
    lifted = lift(eigenvalues[..., None, :], kappa.ndim + 1)
    if not jnp.iscomplexobj(kappa):
        return 1 / (lifted + kappa[..., None])
    x, y = lifted + kappa.real[..., None], kappa.imag[..., None]
    size = 1 / (x * x + y * y)  # one real division: a complex one costs several times as much
    return jax.lax.complex(x * size, -y * size)


def effective_dimension(spectrum: AbstractSpectrum, kappa: Array) -> Array:
    """``df1(kappa) = sum_k lambda_k/(lambda_k + kappa)``.

    Parameters
    ----------
    spectrum
        With nodes of shape (*batch, node).
    kappa
        Real or complex, of shape (*batch, at).

    Examples
    --------
    >>> from theory.learning.spectrum import Measured
    >>> task = Measured([1.0, 0.5], [1.0, 1.0])
    >>> effective_dimension(task, jnp.array([0.5])).round(6).tolist()
    [1.166667]
    """
    return sum_over_nodes(
        spectrum.counts * spectrum.eigenvalues, inverse(spectrum.eigenvalues, kappa)
    )


def resolvent(spectrum: AbstractSpectrum, kappa: Array) -> Array:
    """``q(kappa) = sum_k p_k/(lambda_k + kappa)``; arguments as of `effective_dimension`."""
    return sum_over_nodes(spectrum.counts * spectrum.powers, inverse(spectrum.eigenvalues, kappa))


def one_point(spectrum: AbstractSpectrum, kappa: Array) -> OnePoint:
    """``df1``, ``q`` and their derivatives at kappa; arguments as of `effective_dimension`."""
    lam, counts = spectrum.eigenvalues, spectrum.counts
    inv = inverse(lam, kappa)
    square = inv * inv
    weights, power = counts * lam, counts * spectrum.powers
    return OnePoint(
        kappa,
        sum_over_nodes(weights, inv),
        -sum_over_nodes(weights, square),
        sum_over_nodes(power, inv),
        -sum_over_nodes(power, square),
    )


def two_point(spectrum: AbstractSpectrum, kappa: Array, kappa_prime: Array) -> TwoPoint:
    r"""``B, df2, S0, S1`` at pairs of scales, summed term by term: there is no cancellation.

    ``B = sum lambda/(..)``, ``df2 = sum lambda^2/(..)``, ``S0 = sum p/(..)``,
    ``S1 = sum lambda p/(..)`` with ``(..) = (kappa + lambda)(kappa' + lambda)``.

    Parameters
    ----------
    spectrum
        With nodes of shape (*batch, node).
    kappa, kappa_prime
        Of one shape (*batch, at).
    """
    lam, counts = spectrum.eigenvalues, spectrum.counts
    both = inverse(lam, kappa) * inverse(lam, kappa_prime)
    weights, power = counts * lam, counts * spectrum.powers
    sums = (sum_over_nodes(w, both) for w in (weights, weights * lam, power, power * lam))
    return TwoPoint(*sums)


def two_point_pairs(spectrum: AbstractSpectrum, kappa: Array, kappa_prime: Array) -> TwoPoint:
    """`two_point` of all pairs (at, at'), as products of matrices; there is no cancellation.

    Parameters
    ----------
    spectrum
        With nodes of shape (node,).
    kappa, kappa_prime
        (*batch, at) and (*batch, at').
    """
    lam, counts = spectrum.eigenvalues, spectrum.counts
    left, right = inverse(lam, kappa), inverse(lam, kappa_prime)
    weights, power = counts * lam, counts * spectrum.powers

    def product(w: Array) -> Array:
        return jnp.einsum("...ik,...jk->...ij", left * lift(w, left.ndim), right,
                          precision="highest")  # fmt: skip

    return TwoPoint(*(product(w) for w in (weights, weights * lam, power, power * lam)))


def divided_differences(one: OnePoint, other: OnePoint) -> TwoPoint:
    """`two_point` of all pairs (at, at') from sums at either point; far cheaper.

    ``B = (df1 - df1')/(kappa' - kappa)`` and so on; where the scales are equal, derivatives. It
    loses digits where they are nearly equal, so it is for nodes of one contour, which are apart.
    """
    k, k_prime = one.kappa[..., :, None], other.kappa[..., None, :]
    same = k == k_prime
    gap = jnp.where(same, 1.0, k_prime - k)

    def sums(f: Array, slope: Array, f_prime: Array) -> tuple[Array, Array]:
        f, slope, f_prime = f[..., :, None], slope[..., :, None], f_prime[..., None, :]
        plain = jnp.where(same, -slope, (f - f_prime) / gap)
        return plain, jnp.where(same, f + k * slope, (k_prime * f_prime - k * f) / gap)

    return TwoPoint(*sums(one.df1, one.df1_slope, other.df1), *sums(one.q, one.q_slope, other.q))


@jax.custom_jvp
def _rank_scale(rank: Array, eigenvalues: Array, weights: Array) -> Array:
    """Newton in log-log: log df1 is concave in log kappa, so steps from the right are monotone."""
    rank = rank[..., None]

    def advance(state: tuple[Array, Array, int | Array]) -> tuple[Array, Array, int | Array]:
        log_kappa, _, i = state
        inv = inverse(eigenvalues, jnp.exp(log_kappa))
        df1 = sum_over_nodes(weights, inv)
        slope = -jnp.exp(log_kappa) * sum_over_nodes(weights, inv * inv) / df1
        step = jnp.clip((jnp.log(df1) - jnp.log(rank)) / slope, -8.0, 8.0)
        return log_kappa - step, jnp.max(jnp.abs(step)), i + 1

    tolerance = 8 * float(jnp.finfo(eigenvalues.dtype).eps)
    start = jnp.log(lift(jnp.sum(weights, -1, keepdims=True), rank.ndim) / rank)
    start = jnp.where(jnp.isfinite(start), start, 0.0)
    shape = jnp.broadcast_shapes(start.shape, rank.shape)
    begin = (jnp.broadcast_to(start, shape), jnp.asarray(jnp.inf, start.dtype), 0)
    log_kappa, _, _ = jax.lax.while_loop(
        lambda s: (s[1] > tolerance * 64) & (s[2] < NEWTON), advance, begin
    )
    return jnp.exp(log_kappa)[..., 0]


@_rank_scale.defjvp
def _rank_scale_tangent(
    primals: tuple[Array, ...], tangents: tuple[Array, ...]
) -> tuple[Array, Array]:
    """``d kappa = (d rank - d df1)/df1'``, at the root, which is itself differentiable."""
    rank, eigenvalues, weights = primals
    kappa = _rank_scale(rank, eigenvalues, weights)

    def excess(rank: Array, eigenvalues: Array, weights: Array) -> Array:
        return rank - sum_over_nodes(weights, inverse(eigenvalues, kappa[..., None]))[..., 0]

    _, change = jax.jvp(excess, primals, tangents)
    inv = inverse(eigenvalues, kappa[..., None])
    return kappa, -change / sum_over_nodes(weights, inv * inv)[..., 0]


def scale_of_rank(spectrum: AbstractSpectrum, rank: Array) -> Array:
    """The scale kappa at which ``df1(kappa) = rank``: what a model of that rank resolves.

    Differentiable, to any order, in the rank and the spectrum. 0 where the rank is infinite or not
    below the number of modes.

    Parameters
    ----------
    spectrum
        With nodes of shape (*batch, node).
    rank
        Of shape (*batch,); above 0.

    Examples
    --------
    >>> from theory.learning.spectrum import PowerLaw
    >>> kappa = scale_of_rank(PowerLaw(a=1.5, b=1.25), jnp.array(100.0))
    >>> effective_dimension(PowerLaw(a=1.5, b=1.25), kappa[None]).round(9).tolist()
    [100.0]
    """
    lam, counts = spectrum.eigenvalues, spectrum.counts
    rank = jnp.asarray(rank, dtype=lam.dtype)
    total = jnp.sum(jnp.where(lam > 0, counts, 0.0), -1)
    total = lift(total, rank.ndim)
    if getattr(spectrum, "modes", None) is None:
        total = jnp.full_like(total, jnp.inf)  # the counts of a tail are weights
    inside = jnp.isfinite(rank) & (rank < total)
    kappa = _rank_scale(jnp.where(inside, rank, total.dtype.type(0.5)), lam, counts * lam)
    return jnp.where(inside, kappa, 0.0)
