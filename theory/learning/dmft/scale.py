"""The renormalised scale kappa(z): the one self-consistent equation of the model.

    z = kappa (1 - df1(kappa)/P) (1 - df1(kappa)/N),    df1(kappa) = sum lambda/(lambda + kappa)

Every correlation and response at the Laplace variable z is an explicit function of its root; the
response of mode k is ``H_k(z) = kappa/(z (kappa + lambda_k))``.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array

from theory.learning.mode_sums import inverse, lift, scale_of_rank, sum_over_nodes
from theory.learning.task import AbstractSpectrum

STEPS = 40
"""Most Newton steps; six are usual, more where M is near N or P."""

HEIGHTS, EACH = 14, 3
"""Heights above the cut through which a root is followed, and Newton steps at each."""


def forward_map(
    kappa: Array,
    inverse_N: Array,
    inverse_P: Array,
    eigenvalues: Array,
    weights: Array,
    inverse_M: float = 0.0,
) -> tuple[Array, Array]:
    """``z(kappa)`` and ``dz/dkappa``.

    With orthogonal rows z has a factor ``1/(1 - df1/M)`` besides.

    Parameters
    ----------
    kappa
        (*batch, at).
    inverse_N, inverse_P
        ``1/N`` and ``1/P`` (0 for infinite), with an axis for `at`: (*batch, 1).
    eigenvalues, weights
        ``lambda`` and ``counts * lambda``, (*batch, node).
    inverse_M
        1/M for orthogonal rows; 0 for Gaussian ones.
    """
    inv = inverse(eigenvalues, kappa)
    df1, fall = sum_over_nodes(weights, inv), sum_over_nodes(weights, inv * inv)
    R1, R3 = 1 - df1 * inverse_P, 1 - df1 * inverse_N
    value, slope = kappa * R1 * R3, R1 * R3 + kappa * fall * (inverse_P * R3 + inverse_N * R1)
    if inverse_M == 0:
        return value, slope
    RM = 1 - df1 * inverse_M
    return value / RM, (slope - value / RM * fall * inverse_M) / RM


@partial(jax.custom_jvp, nondiff_argnums=(6,))
def _root(
    z: Array,
    start: Array,
    inverse_N: Array,
    inverse_P: Array,
    eigenvalues: Array,
    weights: Array,
    inverse_M: float,
) -> Array:
    def advance(state: tuple[Array, Array, int | Array]) -> tuple[Array, Array, int | Array]:
        kappa, _, i = state
        value, slope = forward_map(kappa, inverse_N, inverse_P, eigenvalues, weights, inverse_M)
        step = (z - value) / slope
        return kappa + step, jnp.max(jnp.abs(step) / jnp.abs(kappa)), i + 1

    # The step after one below the root of eps is below eps.
    tolerance = 0.1 * float(jnp.finfo(start.dtype).eps) ** 0.5
    begin = (start, jnp.asarray(jnp.inf, jnp.finfo(start.dtype).dtype), 0)
    return jax.lax.while_loop(lambda s: (s[1] > tolerance) & (s[2] < STEPS), advance, begin)[0]


@_root.defjvp
def _root_tangent(
    inverse_M: float, primals: tuple[Array, ...], tangents: tuple[Array, ...]
) -> tuple[Array, Array]:
    """``d kappa = -(d z(kappa; parameters) - d z)/(dz/dkappa)``, at the differentiable root.

    Because kappa here is again the root with this rule, derivatives of all orders are right.
    """
    kappa = _root(*primals, inverse_M)
    z, _, *parameters = primals
    dz, _, *changes = tangents

    def excess(z: Array, *parameters: Array) -> Array:
        return z - forward_map(kappa, *parameters, inverse_M=inverse_M)[0]

    _, change = jax.jvp(excess, (z, *parameters), (dz, *changes))
    return kappa, change / forward_map(kappa, *parameters, inverse_M=inverse_M)[1]


def renormalised_scale(
    spectrum: AbstractSpectrum,
    z: Array,
    inverse_N: Array,
    inverse_P: Array,
    *,
    follow: bool = False,
    inverse_M: float = 0.0,
) -> Array:
    """The root kappa of ``z = kappa (1 - df1/P)(1 - df1/N)`` on the sheet of the resolvent.

    Parameters
    ----------
    spectrum
        With nodes of shape (*batch, node).
    z
        (*batch, at): in the upper half plane, or real and positive.
    inverse_N, inverse_P
        ``1/N``, ``1/P`` of shape (*batch,); 0 for infinite.
    follow
        Come down to z from far above the cut, where kappa = z, step by step. Needed near the
        negative axis; right of it, and on a hyperbola, Newton's method starts close enough from
        ``kappa0 + z + 2 sqrt(z kappa0 min/max) + kappa0 (sqrt(1 + z/kappa0) - 1)``.
    inverse_M
        As of `forward_map`; not differentiated.

    Returns
    -------
    kappa
        Of the shape of z; differentiable to any order in everything.
    """
    lam, weights = spectrum.eigenvalues, spectrum.counts * spectrum.eigenvalues
    inverse_N, inverse_P = jnp.asarray(inverse_N)[..., None], jnp.asarray(inverse_P)[..., None]
    high, low = jnp.maximum(inverse_N, inverse_P), jnp.minimum(inverse_N, inverse_P)
    arguments = (inverse_N, inverse_P, lam, weights)
    if follow:
        start = _followed(*jax.lax.stop_gradient((z, *arguments)), inverse_M)
    else:
        rank = jnp.where(high > 0, 1 / jnp.where(high > 0, high, 1.0), jnp.inf)[..., 0]
        kappa0 = scale_of_rank(jax.lax.stop_gradient(spectrum), jax.lax.stop_gradient(rank))
        kappa0 = kappa0[..., None]
        ratio = jnp.where(high > 0, low / jnp.where(high > 0, high, 1.0), 0.0)
        lifted = lift(z, max(z.ndim, kappa0.ndim))
        start = lifted + 2 * jnp.sqrt(lifted * kappa0 * ratio)
        start = start + jnp.sqrt(kappa0 * (kappa0 + lifted))
        start = jax.lax.stop_gradient(start)
    return _root(lift(z, start.ndim), start, *arguments, inverse_M)


def _followed(
    z: Array, inverse_N: Array, inverse_P: Array, lam: Array, weights: Array, inverse_M: float
) -> Array:
    """The root at z, from roots at falling heights above z."""
    trace = jnp.sum(weights, -1, keepdims=True)
    top = lift(lam[..., :1], z.ndim) + lift(trace, z.ndim) * (inverse_N + inverse_P)
    shape = jnp.broadcast_shapes(z.shape, top.shape)
    z, top = jnp.broadcast_to(z, shape), jnp.broadcast_to(10 * top, shape)
    depth = jnp.log(top / jnp.maximum(jnp.abs(z.imag), 1e-12 * top))

    def at(i: Array, kappa: Array) -> Array:
        height = jnp.where(i < HEIGHTS, top * jnp.exp(-depth * i / HEIGHTS), 0.0)
        target = z + 1j * height

        def newton(_: object, kappa: Array) -> Array:
            value, slope = forward_map(kappa, inverse_N, inverse_P, lam, weights, inverse_M)
            found = kappa + (target - value) / slope
            # The root lies in the upper half plane; a step that leaves it is halved.
            return jnp.where(found.imag > 0, found, kappa.real + 0.5j * kappa.imag)

        return jax.lax.fori_loop(0, EACH, newton, kappa)

    return jax.lax.fori_loop(0, HEIGHTS + 1, at, z + 1j * top)
