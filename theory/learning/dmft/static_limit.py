"""Losses in closed form: of ridge regression, at the end of training, and without any limit."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from theory.learning.dmft.evaluate import setting_of
from theory.learning.dmft.scale import renormalised_scale
from theory.learning.dmft.two_point import KERNELS
from theory.learning.mode_sums import one_point, scale_of_rank, sum_over_nodes, two_point

UNSEEN = 1e-140
"""Of lambda_1: a scale that stands for kappa = 0, the limit of all modes learnt."""


@partial(jax.jit, static_argnames=("observable", "inverse_M"))
def static_loss(
    task: Any,
    inverse_N: Any,
    inverse_P: Any,
    noise: Any,
    share: Any,
    penalty: Any,
    *,
    observable: str,
    inverse_M: float = 0.0,
) -> Any:
    """The kernel at ``kappa = kappa' = kappa(z = penalty)``, (point,)."""
    kappa = static_scale(task, inverse_N, inverse_P, penalty, inverse_M)
    one = one_point(task, kappa)
    two = type(pair := two_point(task, kappa, kappa))(*(x[..., None] for x in pair))
    setting = setting_of(inverse_N, inverse_P, noise, share, inverse_M)
    return KERNELS[observable](one, one, two, setting)[..., 0, 0]


def static_scale(
    task: Any, inverse_N: Any, inverse_P: Any, penalty: Any, inverse_M: float = 0.0
) -> Any:
    """``kappa(z = penalty)``, and at 0 its limit, at which ``df1 = min(N, P)``; (point, 1)."""
    inverse_N, inverse_P = jnp.asarray(inverse_N), jnp.asarray(inverse_P)
    penalty = jnp.broadcast_to(jnp.asarray(penalty, inverse_N.dtype), inverse_N.shape)
    high = jnp.maximum(inverse_N, inverse_P)
    rank = jnp.where(high > 0, 1 / jnp.where(high > 0, high, 1.0), jnp.inf)
    some = jnp.where(penalty > 0, penalty, 1.0)[..., None]
    kappa = renormalised_scale(task, some, inverse_N, inverse_P, inverse_M=inverse_M)[..., 0]
    kappa = jnp.where(penalty > 0, kappa, scale_of_rank(task, rank))
    return jnp.maximum(kappa, UNSEEN * jnp.max(task.eigenvalues))[..., None]


def free_loss(task: Any, t: Any, dynamics: Any) -> Any:
    """``sum p r_t(lambda)^2`` at N = P = inf, without noise; for t of shape (time,)."""
    r = dynamics.filter(task.eigenvalues.astype(complex), t).real
    return sum_over_nodes(task.counts * task.powers, r * r)
