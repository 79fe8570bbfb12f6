r"""The loss of random-feature regression at finite size, below and above the interpolation point.

With ``m = min(P, D)`` for P features and D examples, and kappa the scale of that rank,
``df1(kappa) = sum lambda/(lambda + kappa) = m``, the loss without ridge is, for Gaussian features,

    P < D:  [kappa q + sigma^2] (D - 1)/(D - P - 1),                      q = sum p/(lambda + kappa)
    P > D:  kappa^2 S0/(1 - g) + sigma^2/(1 - g) + (kappa q + sigma^2) D/(P - D - 1),
            S0 = sum p/(lambda + kappa)^2,   g = (1/D) sum lambda^2/(lambda + kappa)^2.

For the isotropic teacher, ``p = lambda/S``, both are ``Delta(m) (M - 1)/(M - m - 1)`` with
``Delta(m) = m kappa/S`` and ``M = max(P, D)``: features and examples are dual.

The factors of P and D are exact at any size, by averages over Wishart matrices. Below, the labels
are a linear function of the features plus a Gaussian residual independent of them, and least
squares has the excess ``P/(D - P - 1)`` of the residual's variance. Above, the projection A is to
the matrix ``H = Lambda^(1/2) Z^T`` of samples what the samples are to the projection below: with
the projector ``Pi`` on the columns of H the loss is

    E_Z { tr[Lambda (1 - Pi) Theta (1 - Pi)] + tr[Lambda (1 - Pi)] tr[Theta Pi]/(P - D - 1) },

``Theta = diag(p/lambda)``. What remains, averages over one Gaussian matrix of rank m, is replaced
by its deterministic equivalent, with a relative error of about ``1/m``.

Sources: Bahri et al. 2021, arXiv:2102.06701 (model, duality); Maloney et al. 2022,
arXiv:2210.16859 (the factor ``1/(1 - m/M)``); Atanasov et al. 2024, arXiv:2405.00592 (general
teachers, large sizes); the finite-size factors are derived here.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from theory.declaration.namespace import Numeric
from theory.errors import TheoryError
from theory.learning import dmft
from theory.learning.mode_sums import TwoPoint, one_point, scale_of_rank, two_point
from theory.learning.spectrum import PowerLaw
from theory.learning.task import AbstractTask

UNSEEN = 1e-140
"""Scale, as a share of lambda_1, that stands for kappa = 0, where every mode is resolved."""

ACCURACY = 1e-8
"""Relative, of the sums over modes."""

LIMITS = {
    "features": (1.0, True, "a number of features of at least 1, or inf"),
    "examples": (1.0, True, "a number of examples of at least 1, or inf"),
    "rank": (1.0, True, "a number of features or examples of at least 1, or inf"),
    "noise": (0.0, False, "sigma^2, a finite variance of at least 0"),
    "penalty": (0.0, False, "a finite ridge of at least 0"),
}
"""Least value, whether it may be infinite, and what it is."""


class RandomFeaturesError(TheoryError):
    """A question to random features that has no finite answer, or is out of their domain."""


def isotropic(alpha: float, modes: int | None = None) -> PowerLaw:
    """The task with ``lambda_k = k^-(1 + alpha)`` and an isotropic teacher, ``E w_k^2 = 1``.

    Its resolution-limited exponent ``alpha_K`` is alpha. Bahri's teacher has ``E w_k^2 = 1/S``
    in S modes, so that the losses there are those here divided by S.

    Parameters
    ----------
    alpha
        Above 0.
    modes
        S; None for infinitely many.

    Raises
    ------
    RandomFeaturesError
        If alpha is not finite and positive.

    Examples
    --------
    >>> isotropic(0.5, modes=1500)
    PowerLaw(a=1.5, b=1.5, modes=1500, reach=1073741824, order=8)
    """
    if not 0 < alpha < math.inf:
        raise RandomFeaturesError(
            f"alpha, the exponent of the isotropic task, must be finite and positive; got {alpha}."
        )
    return PowerLaw(a=1 + alpha, b=1 + alpha, modes=modes)


def asymptote(alpha: Numeric, rank: Numeric) -> Numeric:
    """``Delta(m) -> C^(1 + alpha) m^-alpha`` with ``C = x/sin x, x = pi/(1 + alpha)``.

    For ``isotropic(alpha)`` with infinitely many modes, as m grows. With S modes the local
    exponent is larger, and a power fitted to simulated losses overstates alpha.

    Parameters
    ----------
    alpha
        Exponent, above 0.
    rank
        m.

    Examples
    --------
    >>> float(round(asymptote(1.0, 100.0), 6)), float(unresolved(isotropic(1.0), 100.0).round(6))
    (0.024674, 0.024429)
    """
    angle = np.pi / (1 + alpha)
    return (angle / np.sin(angle)) ** (1 + alpha) * np.asarray(rank) ** -alpha


def double_descent(features: ArrayLike, examples: ArrayLike) -> Float[np.ndarray, "*point"]:
    """``(M - 1)/(M - m - 1)``, m and M the smaller and larger: the factor of the variance.

    It is ``1/(1 - m/M)`` for large sizes, diverges at the interpolation point and is exact for
    Gaussian features at any size beyond ``M > m + 1``.

    Parameters
    ----------
    features, examples
        Sizes that broadcast; inf is allowed.

    Raises
    ------
    RandomFeaturesError
        If a size is out of its domain, or sizes are within 1 of each other.

    Examples
    --------
    >>> double_descent(100, [111, 1001, np.inf]).tolist()
    [11.0, 1.1111111111111112, 1.0]
    """
    sizes = np.broadcast_arrays(checked("features", features), checked("examples", examples))
    small, large = np.minimum(*sizes), np.maximum(*sizes)
    with np.errstate(invalid="ignore"):
        near = np.isfinite(small) & (large - small <= 1)
        _refuse_pole(near, *sizes)
        return np.asarray(np.where(np.isinf(large), 1.0, (large - 1) / (large - small - 1)))


def unresolved(task: AbstractTask, rank: ArrayLike) -> Float[np.ndarray, "*point"]:
    """``Delta(m) = kappa sum p/(lambda + kappa)``: what no rank-m model of the task resolves.

    The loss of m random features with infinitely many examples, and for the isotropic teacher also
    that of m examples with infinitely many features.

    Parameters
    ----------
    task
        A spectrum: `isotropic`, `theory.learning.spectrum.PowerLaw` or
        `theory.learning.spectrum.Measured`.
    rank
        m, of any shape; 0 is returned where it is infinite or not below the number of modes.

    Raises
    ------
    RandomFeaturesError
        If a rank is out of its domain.

    Examples
    --------
    >>> unresolved(isotropic(0.5, modes=1500), [10, 100, 1000]).round(4).tolist()
    [1.0312, 0.2931, 0.0271]
    """
    ranks = checked("rank", rank)
    with jax.enable_x64(True):
        task = resolved(task, ranks)
        return np.asarray(_unresolved(task, ranks.ravel())).reshape(ranks.shape)


def loss(
    task: AbstractTask,
    features: ArrayLike = math.inf,
    examples: ArrayLike = math.inf,
    *,
    noise: ArrayLike = 0.0,
    penalty: ArrayLike = 0.0,
) -> Float[np.ndarray, "*point"]:
    """Mean test loss ``E (y - f)^2`` with sigma^2, of random features at finite size.

    Without ridge the formulas of this module, whose factors of P and D are exact. With a ridge
    there are no such factors, and it is `theory.learning.dmft.loss` with
    `theory.learning.dmft.Ridge`: exact up to about ``1/min(P, D)``.

    Parameters
    ----------
    task
        A spectrum with any teacher.
    features, examples
        P and D; they broadcast, and each may be ``inf``.
    noise
        sigma^2, the variance of the labels' noise.
    penalty
        Ridge delta of ``(1/D) |y - Phi w|^2 + delta |w|^2`` with ``Phi = F A^T/sqrt(P)``; one
        number.

    Raises
    ------
    RandomFeaturesError
        If an input is out of its domain, or without ridge P and D are within 1 of each other,
        where the mean loss is infinite.

    Examples
    --------
    >>> task = isotropic(0.5, modes=1500)
    >>> loss(task, 50, [100, 400, np.inf]).round(4).tolist()
    [0.8995, 0.509, 0.4452]
    >>> bool(np.allclose(loss(task, 50, 400), loss(task, 400, 50)))  # duality
    True
    """
    given = {"features": features, "examples": examples, "noise": noise}
    arrays = {name: checked(name, value) for name, value in given.items()}
    ridge = checked("penalty", penalty)
    if ridge.ndim:
        raise RandomFeaturesError(f"penalty must be one number; got an array {ridge.shape}.")
    if ridge > 0:
        sizes = (arrays["features"], arrays["examples"])
        found = dmft.loss(task, *sizes, noise=arrays["noise"], dynamics=dmft.Ridge(float(ridge)))
        if found.status != "ok":
            raise RandomFeaturesError(found.status)
        return found.value
    try:
        P, D, sigma2 = np.broadcast_arrays(*arrays.values())
    except ValueError:
        shapes = ", ".join(f"{name} {x.shape}" for name, x in arrays.items())
        raise RandomFeaturesError(
            f"features, examples and noise must broadcast; got shapes {shapes}."
        ) from None
    modes = getattr(task, "modes", None) or math.inf
    # As many features as modes span them all, however they are projected.
    seen = np.where(D >= modes, np.minimum(P, modes), P)
    with np.errstate(invalid="ignore"):
        near = np.isfinite(np.minimum(seen, D)) & (np.abs(seen - D) <= 1)
    learnt = (np.minimum(seen, D) >= modes) & (sigma2 == 0)
    _refuse_pole(near & ~learnt, P, D)
    with jax.enable_x64(True):
        task = resolved(task, np.minimum(P, D))
        flat = (np.ravel(x) for x in (np.where(near, D + 2, seen), D, sigma2))
        value = np.asarray(_ridgeless(task, *flat)).reshape(P.shape)
    return np.asarray(np.where(learnt, 0.0, value))


def checked(name: str, value: ArrayLike) -> Float[np.ndarray, "..."]:
    """An argument as doubles in its domain.

    Raises
    ------
    RandomFeaturesError
        If it is no number, NaN, or out of its domain.
    """
    low, infinite, what = LIMITS[name]
    array = np.asarray(value)
    if array.dtype.kind not in "iuf":
        raise RandomFeaturesError(f"{name} must be {what}; got {value!r}.")
    array = array.astype(np.float64)
    bad = ~(array >= low) | (np.isinf(array) & (not infinite))
    if bad.any():
        raise RandomFeaturesError(f"{name} must be {what}; got {array[bad].flat[0]}.")
    return array


def resolved(task: AbstractTask, ranks: ArrayLike) -> AbstractTask:
    """The task with nodes for these ranks; one task only."""
    ranks = np.asarray(ranks)  # NumPy's functions make scalars of arrays without axes
    finite = ranks[np.isfinite(ranks)]
    if any(np.ndim(getattr(task, name, 0.0)) for name in ("a", "b")):
        raise RandomFeaturesError(
            "a task with arrays of exponents is many tasks; ask for one after the other."
        )
    return task.resolved(mode=float(finite.max()) if finite.size else 1.0, accuracy=ACCURACY)


def _refuse_pole(near: np.ndarray | np.bool, features: np.ndarray, examples: np.ndarray) -> None:
    if np.any(near):
        raise RandomFeaturesError(
            f"the mean loss is infinite at features={features[near].flat[0]:g} and "
            f"examples={examples[near].flat[0]:g}, the interpolation point; keep them more than 1 "
            "apart (or modes and examples, where the features span all modes), or pass a penalty "
            "above 0."
        )


def _sums(task: AbstractTask, rank: Array) -> tuple[Array, Array, TwoPoint]:
    """Scale of a rank, and sums over modes there, (point,) each."""
    kappa = scale_of_rank(task, rank)
    kappa = jnp.maximum(kappa, UNSEEN * jnp.max(task.eigenvalues))
    at = kappa[..., None]
    return kappa, one_point(task, at).q[..., 0], two_point(task, at, at)


@jax.jit
def _unresolved(task: AbstractTask, rank: Array) -> Array:
    kappa, q, _ = _sums(task, rank)
    return kappa * q


@jax.jit
def _ridgeless(task: AbstractTask, features: Array, examples: Array, noise: Array) -> Array:
    """The formulas of the module; (point,)."""
    small, large = jnp.minimum(features, examples), jnp.maximum(features, examples)
    kappa, q, two = _sums(task, small)
    finite = jnp.isfinite(large)
    spread = jnp.where(finite, large - small - 1, 1.0)
    ratio = jnp.where(finite, small / spread, 0.0)  # P/(D - P - 1), or D/(P - D - 1)
    variance = kappa * q * ratio + noise * ratio
    # 1 - g = kappa B/D, as df1 - df2 = kappa B and df1 = D; it does not cancel.
    bias = (kappa * two.S0[..., 0] + noise / kappa) * examples / two.B[..., 0]
    return jnp.where(features <= examples, kappa * q + noise, bias) + variance
