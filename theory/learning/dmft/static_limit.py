"""Losses in closed form: of ridge regression, at the end of training, and without any limit."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike

from theory.learning.dmft.dynamics import AbstractDynamics
from theory.learning.dmft.evaluate import setting_of
from theory.learning.dmft.scale import renormalised_scale
from theory.learning.dmft.two_point import KERNELS
from theory.learning.mode_sums import one_point, scale_of_rank, sum_over_nodes, two_point
from theory.learning.task import AbstractSpectrum

UNSEEN = 1e-140
"""Scale, as a share of lambda_1, that stands for kappa = 0, the limit of all modes learnt."""


@partial(jax.jit, static_argnames=("observable", "inverse_M"))
def static_loss(
    task: AbstractSpectrum,
    inverse_N: Array,
    inverse_P: Array,
    noise: Array,
    share: Array,
    penalty: Array,
    *,
    observable: str,
    inverse_M: float = 0.0,
) -> Array:
    """The kernel at ``kappa = kappa' = kappa(z = penalty)``, (point,)."""
    kappa = static_scale(task, inverse_N, inverse_P, penalty, inverse_M)
    one = one_point(task, kappa)
    two = type(pair := two_point(task, kappa, kappa))(*(x[..., None] for x in pair))
    setting = setting_of(inverse_N, inverse_P, noise, share, inverse_M)
    return KERNELS[observable](one, one, two, setting)[..., 0, 0]


def static_scale(
    task: AbstractSpectrum,
    inverse_N: Array,
    inverse_P: Array,
    penalty: ArrayLike,
    inverse_M: float = 0.0,
) -> Array:
    """``kappa(z = penalty)``, and at 0 its limit, at which ``df1 = min(N, P)``; (point, 1)."""
    inverse_N, inverse_P = jnp.asarray(inverse_N), jnp.asarray(inverse_P)
    penalty = jnp.broadcast_to(jnp.asarray(penalty, inverse_N.dtype), inverse_N.shape)
    high = jnp.maximum(inverse_N, inverse_P)
    rank = jnp.where(high > 0, 1 / jnp.where(high > 0, high, 1.0), jnp.inf)
    some = jnp.where(penalty > 0, penalty, 1.0)[..., None]
    kappa = renormalised_scale(task, some, inverse_N, inverse_P, inverse_M=inverse_M)[..., 0]
    kappa = jnp.where(penalty > 0, kappa, scale_of_rank(task, rank))
    return jnp.maximum(kappa, UNSEEN * jnp.max(task.eigenvalues))[..., None]


def free_loss(task: AbstractSpectrum, t: Array, dynamics: AbstractDynamics) -> Array:
    """``sum p r_t(lambda)^2`` at N = P = inf, without noise; for t of shape (time,)."""
    r = dynamics.filter(task.eigenvalues.astype(complex), t).real
    return sum_over_nodes(task.counts * task.powers, r * r)
