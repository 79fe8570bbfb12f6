"""Responses and correlations, the functions of time that the dynamics are made of."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpy.typing import ArrayLike

from theory.learning.dmft.contour import Nodes, linear
from theory.learning.dmft.dynamics import GradientFlow, window_nodes
from theory.learning.dmft.evaluate import at_nodes, contract, setting_of
from theory.learning.dmft.points import Points, checked
from theory.learning.dmft.solution import DynamicsError
from theory.learning.mode_sums import OnePoint
from theory.learning.task import AbstractTask


def mode_response(
    task: AbstractTask,
    modes: ArrayLike,
    N: ArrayLike = math.inf,
    P: ArrayLike = math.inf,
    t: ArrayLike = 0.0,
) -> np.ndarray:
    """``H_k(t)``: the part of mode k not yet learnt under gradient flow, averaged over draws.

    ``H_k(z) = kappa/(z (kappa + lambda_k))``. Its square sums to the bias of the loss.

    Parameters
    ----------
    task
        A `theory.learning.spectrum.PowerLaw` or a `theory.learning.spectrum.Measured`.
    modes
        k, an integer or a list of them, from 1 and in the task's order; the first axis of the
        result.
    N, P, t
        Sizes and times, which broadcast; times are finite.

    Examples
    --------
    >>> from theory.learning.spectrum import PowerLaw
    >>> mode_response(PowerLaw(a=1.5, b=1.25), [1, 10], N=128, P=1000, t=10.0).round(4).tolist()
    [0.0215, 0.618]
    """
    k = np.asarray(modes)
    if (
        k.dtype.kind not in "iu"
        or (k < 1).any()
        or (task.modes is not None and k.max() > task.modes)
    ):
        raise DynamicsError(f"modes must be integers from 1 to the task's modes; got {modes!r}.")
    points = _finite(N, P, t)
    with jax.enable_x64(True):
        lam = np.asarray(task.eigenvalues_of(k.ravel()))
        task = task.resolved(mode=points.mode(getattr(task, "b", None)), accuracy=1e-9)
        t = np.where(points.t > 0, points.t, 1.0)
        found = np.asarray(_mode_response(task, lam, 1 / points.N, 1 / points.P, t))
    found = np.where(points.t > 0, found, 1.0)
    return found.reshape(k.shape + points.shape)


def correlation(
    task: AbstractTask,
    N: ArrayLike = math.inf,
    P: ArrayLike = math.inf,
    *,
    t: ArrayLike,
    t_prime: ArrayLike,
    noise: ArrayLike = 0.0,
    kind: str = "test",
) -> np.ndarray:
    """``C(t, t')``: mean product of errors at two times of one gradient-flow trajectory.

    Over test points with fresh labels (``C0 + sigma^2``), or over training examples (``C1``); at
    ``t = t'`` it is the loss.

    Parameters
    ----------
    task, N, P, noise
        As of `loss`.
    t, t_prime
        Finite times, which broadcast with the sizes.
    kind
        ``"test"`` or ``"train"``.

    Examples
    --------
    >>> from theory.learning.spectrum import PowerLaw
    >>> task = PowerLaw(a=1.5, b=1.25)
    >>> correlation(task, N=100, P=200, t=1.0, t_prime=10.0).round(4).item()
    0.8278
    """
    if kind not in ("test", "train"):
        raise DynamicsError(f"kind must be 'test' or 'train'; got {kind!r}.")
    other = checked("t_prime", t_prime)
    N, P, t, noise, other = np.broadcast_arrays(
        *(checked(n, x) for n, x in (("N", N), ("P", P), ("t", t), ("noise", noise))), other
    )
    points, later = _finite(N, P, t, noise), _finite(N, P, other, noise).t
    low, high = np.minimum(points.t, later), np.maximum(points.t, later)
    value = np.empty(len(low))
    with jax.enable_x64(True):
        task = task.resolved(mode=_finite(N, P, high.reshape(points.shape)).mode(
            getattr(task, "b", None)), accuracy=1e-9)  # fmt: skip
        both = low > 0
        for chosen, compute in ((both, _two_times), (~both, _from_start)):
            if chosen.any():
                p = points.subset(chosen)
                times = np.stack([low[chosen], high[chosen]], axis=1)
                times = np.where(times > 0, times, np.where(times[:, 1:] > 0, times[:, 1:], 1.0))
                nodes = window_nodes(1.0, float((times[:, 1] / times[:, 0]).max()), 1e-9)
                value[chosen] = compute(
                    task, 1 / p.N, 1 / p.P, times, p.noise, kind=kind, nodes=nodes
                )
        start = high == 0
        value[start] = float(jnp.sum(task.counts * task.powers)) + points.noise[start]
    return value.reshape(points.shape)


def response(
    task: AbstractTask,
    N: ArrayLike = math.inf,
    P: ArrayLike = math.inf,
    *,
    lag: ArrayLike,
    kind: str = "data",
) -> np.ndarray:
    """The smooth part of a response function at a time lag; at lag 0 there is a delta besides.

    ``R1(t) = delta(t) - (1/P) df1(t)`` of the training residuals (``kind="data"``) and
    ``R3(t) = delta(t) - (1/N) df1(t)`` of the projected errors (``kind="projection"``), with
    ``df1(t)`` the inverse Laplace transform of ``df1(kappa(z))``.

    Parameters
    ----------
    task, N, P
        As of `loss`.
    lag
        Finite times above 0, which broadcast with the sizes.
    kind
        ``"data"`` or ``"projection"``.

    Examples
    --------
    >>> from theory.learning.spectrum import PowerLaw
    >>> response(PowerLaw(a=1.5, b=1.25), N=100, P=200, lag=1.0).round(5).item()
    -0.01726
    """
    if kind not in ("data", "projection"):
        raise DynamicsError(f"kind must be 'data' or 'projection'; got {kind!r}.")
    lags = checked("lag", lag)
    if (lags == 0).any():
        raise DynamicsError("lag must be above 0: at 0 the response has a delta function; got 0.")
    points = _finite(N, P, lags)
    with jax.enable_x64(True):
        task = task.resolved(mode=points.mode(getattr(task, "b", None)), accuracy=1e-9)
        smooth = np.asarray(_smooth(task, 1 / points.N, 1 / points.P, points.t))
    return (-smooth / (points.P if kind == "data" else points.N)).reshape(points.shape)


def _finite(N: ArrayLike, P: ArrayLike, t: ArrayLike, noise: ArrayLike = 0.0) -> Points:
    points = Points.of(N, P, t, noise, discrete=False)
    if np.isinf(points.t).any():
        raise DynamicsError("times must be finite here; got inf. Pass a large one.")
    return points


ONE_TIME = 24
"""Nodes for one time at 1e-10."""


def _single(
    task: AbstractTask, inverse_N: Array, inverse_P: Array, t: Array, nodes: int
) -> tuple[Array, OnePoint, Array]:
    """Nodes, sums and ``weight exp(zt)`` for rows of times, (row, time, at)."""
    path = GradientFlow().path(jnp.min(t, -1), jnp.max(t, -1), nodes, 1e-11)
    one, _, _ = at_nodes(task, Nodes(path.z, path.amplitude), inverse_N, inverse_P)
    return path.z, one, path.amplitude[:, None, :] * jnp.exp(t[..., None] * path.z[:, None, :])


@jax.jit
def _mode_response(
    task: AbstractTask, lam: Array, inverse_N: Array, inverse_P: Array, t: Array
) -> Array:
    z, one, v = _single(task, inverse_N, inverse_P, t[:, None], ONE_TIME)
    H = (one.kappa / z)[None] / (one.kappa[None] + lam[:, None, None])
    return linear(H, v[None, :, 0])


@jax.jit
def _smooth(task: AbstractTask, inverse_N: Array, inverse_P: Array, t: Array) -> Array:
    _, one, v = _single(task, inverse_N, inverse_P, t[:, None], ONE_TIME)
    return linear(one.df1, v[:, 0])


@partial(jax.jit, static_argnames=("kind", "nodes"))
def _two_times(
    task: AbstractTask,
    inverse_N: Array,
    inverse_P: Array,
    t: Array,
    noise: Array,
    *,
    kind: str,
    nodes: int,
) -> Array:
    z, one, v = _single(task, inverse_N, inverse_P, t, nodes)
    v = v / z[:, None, :]
    setting = setting_of(inverse_N, inverse_P, noise)
    return contract(one, v[:, :1], v[:, 1:], kind, setting)[:, 0]


@partial(jax.jit, static_argnames=("kind", "nodes"))
def _from_start(
    task: AbstractTask,
    inverse_N: Array,
    inverse_P: Array,
    t: Array,
    noise: Array,
    *,
    kind: str,
    nodes: int,
) -> Array:
    """One time is 0, where the error is the label: the kernel at infinite kappa."""
    z, one, v = _single(task, inverse_N, inverse_P, t[:, 1:], nodes)
    R1 = 1.0 if kind == "test" else 1 - one.df1 * inverse_P[:, None]
    return linear(R1 * (noise[:, None] + one.kappa * one.q) / z, v[:, 0])
