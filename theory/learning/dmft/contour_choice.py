"""Losses by double contour integrals, with an estimate of what quadrature and rounding do to them.

Rows of times share a contour: an ellipse around the spectrum for the first steps of discrete
dynamics, otherwise a hyperbola.
"""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from theory.learning.dmft.contour import Nodes, bilinear, ellipse
from theory.learning.dmft.dynamics import MOST_NODES, AbstractDynamics, width_of, window_nodes
from theory.learning.dmft.evaluate import at_nodes, chunked, contract, kernels, setting_of
from theory.learning.dmft.points import Rows
from theory.learning.dmft.solution import DynamicsError
from theory.learning.dmft.static_limit import free_loss
from theory.learning.mode_sums import one_point
from theory.learning.spectrum import TAIL
from theory.learning.task import AbstractTask

TRIES = 4
"""Contours of growing fineness, until the estimated error is below the accuracy."""

MEMORY = 2**24
"""Complex numbers of the largest array of a chunk of rows."""

SAFETY = 5.0
"""Between the errors at finite and at infinite N and P on one contour; 4.4 is the largest that was
seen for a up to 4.5, b from 1.1 to 3, sizes from 20 to 1e5 and times from 0.1 to 1e6."""

RESOLVED = 0.1
"""``lambda t`` at the last mode, up to which a sum over modes is a loss that falls slowly."""

ROUNDINGS = 16
"""Units of rounding of the largest terms by which a contour's sum is off."""


def integrate(
    task: AbstractTask,
    rows: Rows,
    dynamics: AbstractDynamics,
    share: float,
    edge: float,
    *,
    early: bool,
    accuracy: float,
    observable: str,
    inverse_M: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, float, int]:
    """Values and relative rounding (row, time), codes and residuals (row,), error and nodes.

    Raises
    ------
    DynamicsError
        If so many steps with such a momentum need too many nodes.
    """
    width, cut = 0.0, accuracy
    if early:
        width, nodes = width_of(dynamics, edge, int(rows.t.max()))
        nodes = _rounded(nodes)
    else:
        nodes = window_nodes(1.0, rows.ratio, accuracy)
    for attempt in range(TRIES):
        if nodes > MOST_NODES:
            raise DynamicsError(
                f"{dynamics} needs {nodes} contour nodes for {int(rows.t.max())} steps, above "
                f"{MOST_NODES}; use a smaller momentum, or GradientFlow."
            )
        size = nodes * max(task.eigenvalues.shape[0], 8 * nodes)
        *found, error = compiled(
            task,
            1 / rows.N,
            1 / rows.P,
            rows.t,
            rows.noise,
            np.full(len(rows.N), edge),
            share,
            width,
            dynamics,
            early=early,
            nodes=nodes,
            accuracy=cut,
            observable=observable,
            inverse_M=inverse_M,
            chunk=max(1, MEMORY // size),
        )
        if float(error) <= accuracy or attempt == TRIES - 1:
            break
        nodes, cut = 4 * math.ceil(1.3 * nodes / 4), cut / 10
    value, rounding, code, residual = map(np.asarray, found)
    return value, rounding, code, residual, float(error), nodes


def _rounded(nodes: int) -> int:
    """Up to the next of 24, 32, 48, 64, 96, ...: few programs."""
    power = 2 ** math.floor(math.log2(nodes))
    return next(n for n in (power, power * 3 // 2, 2 * power) if n >= nodes)


def _solve(
    task: AbstractTask,
    inverse_N: Array,
    inverse_P: Array,
    t: Array,
    noise: Array,
    edge: Array,
    share: Array,
    width: Array,
    dynamics: AbstractDynamics,
    *,
    early: bool,
    nodes: int,
    accuracy: float,
    observable: str,
    inverse_M: float,
    chunk: int,
) -> tuple[Array, ...]:
    # Newton's start is for Gaussian rows, right of the spectrum.
    follow = dynamics.discrete or inverse_M > 0
    options: dict[str, Any] = {"early": early, "nodes": nodes, "accuracy": accuracy}

    def rows(
        task: AbstractTask, inverse_N: Array, inverse_P: Array, t: Array, noise: Array, edge: Array
    ) -> tuple[Array, Array, Array, Array]:
        z, v = contour_of(dynamics, t, edge, width, **options)
        one, code, residual = at_nodes(
            task, Nodes(z, z), inverse_N, inverse_P, follow=follow, inverse_M=inverse_M
        )
        same, across = kernels(
            one, observable, setting_of(inverse_N, inverse_P, noise, share, inverse_M)
        )
        value = bilinear(same, across, v, v)
        high, size = "highest", jnp.abs(v)
        terms = jnp.einsum("...ij,...tj->...ti", jnp.abs(same) + jnp.abs(across), size,
                           precision=high)  # fmt: skip
        largest = 2 * jnp.sum(size * terms, -1)
        rounding = ROUNDINGS * jnp.finfo(value.dtype).eps * largest / jnp.abs(value)
        return value, rounding, code, residual

    found = chunked(rows, task, (inverse_N, inverse_P, t, noise, edge), chunk)
    widest = jnp.argmax(jnp.max(t, -1) / jnp.min(t, -1))
    error = _known_error(task, t[widest][None], edge[widest][None], width, dynamics, **options)
    return *found, error


compiled = partial(
    jax.jit,
    static_argnames=("early", "nodes", "accuracy", "observable", "inverse_M", "chunk"),
)(_solve)


def contour_of(
    dynamics: AbstractDynamics,
    t: Array,
    edge: Array,
    width: Array,
    *,
    early: bool,
    nodes: int,
    accuracy: float,
) -> tuple[Array, Array]:
    """Nodes z (row, at) and the filter's values there ``v`` (row, time, at), for `contract`."""
    if early:
        z, weight = ellipse(edge, width, nodes)
        return z, (weight / z)[..., None, :] * dynamics.filter(-z, t)
    path = dynamics.path(jnp.min(t, -1), jnp.max(t, -1), nodes, accuracy)
    growth = jnp.exp(path.rate[..., None, :] * t[..., :, None])
    return path.z, (path.amplitude / path.z)[..., None, :] * growth


def _known_error(
    task: AbstractTask,
    t: Array,
    edge: Array,
    width: Array,
    dynamics: AbstractDynamics,
    **options: Any,
) -> Array:
    """From the same contour at N = P = inf, where kappa = z and L is a sum; relative.

    Contours scale with time, so later times than the modes can tell apart are scaled down.
    """
    lam = task.eigenvalues
    last = lam[-1 - TAIL] if task.modes is None else jnp.min(jnp.where(lam > 0, lam, jnp.inf))
    t = t * jnp.minimum(1.0, RESOLVED / (last * jnp.max(t)))
    z, v = contour_of(dynamics, t, edge, width, **options)
    zero = jnp.zeros(1, t.dtype)
    found = contract(one_point(task, z), v, v, "nothing_shared", setting_of(zero, zero, zero))
    known = free_loss(task, t[0], dynamics)
    return SAFETY * jnp.max(jnp.abs(found[0] / known - 1))
