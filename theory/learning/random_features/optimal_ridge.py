r"""Random features at the best ridge: the tuned loss of a task, and its closed form at power laws.

For the isotropic power-law task, ``lambda_k = k^-(1 + alpha)``, tuning joins the limits of features
and examples by one function of ``x = P/D``,

    L(P, D) = C^(1 + alpha) P^-alpha W(P/D)     (C as in `asymptote`),
    s = [(1 + x) + sqrt((1 + x)^2 + 4 x (1 - alpha)(2 + alpha)/(alpha (1 + alpha)))]/2,
    W(x) = s^alpha (1 - a)/(1 - a (1 + x)/s + (2 a - 1) x/s^2),       a = alpha/(1 + alpha),

with ``W(0) = 1``, ``W'(0) = 1`` for every alpha (variance-limited exponent 1) and the duality
``W(1/x) = x^-alpha W(x)``; at alpha = 1 it is ``1 + x``. The best model has the effective dimension
``df1(kappa) = P/s``. W is declared in `scaling_function`.

Source: the deterministic equivalent of the ridge loss (Atanasov et al. 2024, arXiv:2405.00592),
minimised over kappa; the closed form is derived here.
"""

import math
from dataclasses import dataclass
from typing import final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from theory.learning.dmft.evaluate import setting_of
from theory.learning.dmft.two_point import KERNELS
from theory.learning.mode_sums import effective_dimension, one_point, scale_of_rank, two_point
from theory.learning.random_features.learning_curve import RandomFeaturesError, checked, resolved
from theory.learning.task import AbstractTask

GRID, HALVINGS = 96, 60
"""Scales at which the loss is compared, and halvings around the best: to the last digits."""

LEAST, MOST = 1e-12, 1e6
"""Scales searched: from this share of the least eigenvalue (or the scale without ridge, where that
is larger) to this multiple of the largest, times one plus the noise in units of the power."""


@final
@dataclass(frozen=True)
class OptimalRidge:
    """Where the test loss is least in the ridge, which is not taken negative.

    Parameters
    ----------
    loss
        ``E (y - f)^2`` with sigma^2.
    penalty
        delta, as in `loss`; 0 where no ridge is best.
    rank
        Effective dimension ``df1(kappa)`` of the model at it: the number of modes it learns.
    """

    loss: Float[np.ndarray, "*point"]
    penalty: Float[np.ndarray, "*point"]
    rank: Float[np.ndarray, "*point"]


def optimal_ridge(
    task: AbstractTask,
    features: ArrayLike = math.inf,
    examples: ArrayLike = math.inf,
    *,
    noise: ArrayLike = 0.0,
) -> OptimalRidge:
    """Tune the ridge on the test loss, for large sizes.

    Along the scale kappa the ridge is ``kappa (1 - df1/P)(1 - df1/D)`` and the loss is explicit,
    so that no equation is solved for either.

    Parameters
    ----------
    task
        A spectrum with any teacher.
    features, examples
        P and D; they broadcast, and each may be ``inf``.
    noise
        sigma^2.

    Raises
    ------
    RandomFeaturesError
        If an input is out of its domain.

    Examples
    --------
    >>> from theory.learning.random_features import isotropic, loss
    >>> task = isotropic(0.5, modes=1500)
    >>> best = optimal_ridge(task, 50, 60)
    >>> best.loss.round(4).item(), best.rank.round(1).item(), loss(task, 50, 60).round(3).item()
    (0.6819, 21.6, 2.918)
    """
    given = {"features": features, "examples": examples, "noise": noise}
    arrays = [checked(name, value) for name, value in given.items()]
    try:
        P, D, sigma2 = np.broadcast_arrays(*arrays)
    except ValueError:
        shapes = ", ".join(f"{n} {x.shape}" for n, x in zip(given, arrays, strict=True))
        raise RandomFeaturesError(
            f"features, examples and noise must broadcast; got shapes {shapes}."
        ) from None
    with jax.enable_x64(True):
        task = resolved(task, np.minimum(P, D))
        found = _tuned(task, 1 / P.ravel(), 1 / D.ravel(), sigma2.ravel())
    value, penalty, rank = (np.asarray(x).reshape(P.shape) for x in found)
    return OptimalRidge(value, penalty, rank)


@jax.jit
def _tuned(
    task: AbstractTask, inverse_P: Array, inverse_D: Array, noise: Array
) -> tuple[Array, Array, Array]:
    high = jnp.maximum(inverse_P, inverse_D)
    rank = jnp.where(high > 0, 1 / jnp.where(high > 0, high, 1.0), jnp.inf)
    lam = task.eigenvalues
    least = LEAST * jnp.min(jnp.where(lam > 0, lam, jnp.inf))
    low = jnp.log(jnp.maximum(scale_of_rank(task, rank), least))
    power = jnp.sum(task.counts * task.powers)
    top = jnp.log(MOST * jnp.max(lam) * (1 + noise / power))
    steps = jnp.arange(GRID) / (GRID - 1.0)

    def at(log_kappa: Array, inverse_P: Array, inverse_D: Array, noise: Array) -> Array:
        """The loss of one point at one scale."""
        kappa = jnp.exp(log_kappa)[None]
        one = one_point(task, kappa)
        two = type(pair := two_point(task, kappa, kappa))(*(x[..., None] for x in pair))
        setting = setting_of(inverse_P, inverse_D, noise)
        return KERNELS["test"](one, one, two, setting)[0, 0]

    slope = jax.vmap(jax.grad(at))
    points = (inverse_P, inverse_D, noise)
    scales = low[:, None] + (top - low)[:, None] * steps[None, :]
    values = jax.vmap(lambda row, *point: jax.vmap(lambda s: at(s, *point))(row))(scales, *points)
    # At P = D the loss without ridge is infinite, and what rounding makes of it is not.
    pole = (inverse_P == inverse_D)[:, None] & (steps == 0)[None, :]
    values = jnp.where(pole | jnp.isnan(values), jnp.inf, values)
    place = jnp.argmin(values, axis=1)

    def pick(index: Array) -> Array:
        clipped = jnp.clip(index, 0, GRID - 1)
        return jnp.take_along_axis(scales, clipped[:, None], axis=1)[:, 0]

    def halve(_: object, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        left, right = ends
        middle = 0.5 * (left + right)
        falling = slope(middle, *points) < 0
        return jnp.where(falling, middle, left), jnp.where(falling, right, middle)

    left, right = jax.lax.fori_loop(0, HALVINGS, halve, (pick(place - 1), pick(place + 1)))
    best = jnp.where(right - low < 1e-9, low, 0.5 * (left + right))
    kappa = jnp.exp(best)
    df1 = effective_dimension(task, kappa[:, None])[:, 0]
    penalty = kappa * (1 - df1 * inverse_P) * (1 - df1 * inverse_D)
    penalty = jnp.where(best == low, 0.0, penalty)
    return jax.vmap(at)(best, *points), penalty, df1
