"""Ensembles of predictors, and the product of the errors of two that differ in size and data."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpy.typing import ArrayLike

from theory.errors import did_you_mean
from theory.learning.dmft.contour import bilinear
from theory.learning.dmft.dynamics import AbstractDynamics, GradientFlow, window_nodes
from theory.learning.dmft.evaluate import at_nodes, conjugate
from theory.learning.dmft.losses import solve
from theory.learning.dmft.points import Points, checked
from theory.learning.dmft.solution import DynamicsError, Solution, Statistics, Status
from theory.learning.dmft.static_limit import static_scale
from theory.learning.dmft.two_point import KERNELS, Setting
from theory.learning.mode_sums import OnePoint, TwoPoint, one_point, two_point_pairs
from theory.learning.task import AbstractTask

SHARED = {
    "data": ("same_data", 1.0),
    "projection": ("test", 0.0),
    "nothing": ("same_data", 0.0),
    "everything": ("test", 1.0),
}
"""Kernel of what members share, and the part of the data that they then share."""

TRAIN = {"data": "same_data_train", "everything": "train"}


def ensemble_loss(
    task: AbstractTask,
    N: ArrayLike = math.inf,
    P: ArrayLike = math.inf,
    t: ArrayLike = math.inf,
    *,
    members: float,
    shared: str = "data",
    overlap: float | None = None,
    noise: ArrayLike = 0.0,
    dynamics: AbstractDynamics | None = None,
    observable: str = "test",
    accuracy: float = 1e-6,
) -> Solution:
    """Loss of the mean of E predictors, ``L/E + (1 - 1/E) L_cross``.

    Parameters
    ----------
    task, N, P, t, noise, dynamics, accuracy
        As of `loss`; N and P are those of each member.
    members
        E, at least 1; ``inf`` for the limit.
    shared
        What the members share: ``"data"`` (projections differ: an ensemble over initialisations),
        ``"projection"`` (disjoint data: bagging), ``"nothing"``, or ``"everything"`` (no gain).
    overlap
        With ``"projection"`` or ``"nothing"``: the part of its examples, from 0 to 1, that a member
        has in common with each other one. None for 0.
    observable
        ``"test"``, or where members share all data ``"train"``.

    Raises
    ------
    DynamicsError
        If members, shared, overlap or observable is out of its range, and as `loss`.

    Examples
    --------
    >>> from theory.learning.spectrum import PowerLaw
    >>> task = PowerLaw(a=1.5, b=1.25)
    >>> ensemble_loss(task, N=100, P=1000, t=1e3, members=4).value.round(4).item()
    0.3972
    """
    if not members >= 1:
        raise DynamicsError(f"members must be a number of at least 1, or inf; got {members}.")
    if shared not in SHARED:
        raise DynamicsError(f"members cannot share '{shared}'." + did_you_mean(shared, SHARED))
    if observable not in ("test", "train"):
        raise DynamicsError(f"observable must be 'test' or 'train'; got {observable!r}.")
    if observable == "train" and shared not in TRAIN:
        raise DynamicsError(
            f"members that share {shared} have no training set in common, so there is no train "
            "loss of their mean; ask for observable='test', or shared='data'."
        )
    kernel, share = SHARED[shared]
    if overlap is not None:
        share = _checked_overlap(overlap, shared)
    ask = partial(solve, task, N, P, t, noise, dynamics)
    alone = ask(observable, None, accuracy)
    if shared == "everything" or members == 1:
        return alone
    cross = ask(TRAIN[shared] if observable == "train" else kernel, None, accuracy, share)
    value = alone.value / members + (1 - 1 / members) * cross.value
    stats = Statistics(
        max(alone.stats.nodes, cross.stats.nodes),
        alone.stats.spectrum_nodes,
        max(alone.stats.newton_residual, cross.stats.newton_residual),
        max(alone.stats.estimated_error, cross.stats.estimated_error),
    )
    code = np.asarray(np.maximum(alone.code, cross.code))
    return Solution(np.asarray(value), code, stats)


def _checked_overlap(overlap: float, shared: str) -> float:
    if shared not in ("projection", "nothing"):
        raise DynamicsError(
            f"members that share {shared} have all data in common, so overlap cannot be given; "
            "pass shared='nothing' or shared='projection'."
        )
    if not 0 <= overlap <= 1:
        raise DynamicsError(f"overlap must be a part of the data, from 0 to 1; got {overlap}.")
    return float(overlap)


def cross_loss(
    task: AbstractTask,
    N: ArrayLike = math.inf,
    P: ArrayLike = math.inf,
    t: ArrayLike = math.inf,
    *,
    other_N: ArrayLike | None = None,
    other_P: ArrayLike | None = None,
    common: ArrayLike = 0.0,
    same_projection: bool = False,
    noise: ArrayLike = 0.0,
) -> Solution:
    """``E (y - f)(y - f')`` at test points, of two predictors of any sizes under gradient flow.

    With it the loss of any weighted mean of unlike predictors is ``sum w_i w_j L_ij``.

    Parameters
    ----------
    task, N, P, t, noise
        As of `loss`.
    other_N, other_P
        Sizes of the second predictor; those of the first where None.
    common
        P_o, how many examples both are trained on; at most P and P'.
    same_projection
        Whether both have one projection, so that N is one; otherwise each has its own.

    Raises
    ------
    DynamicsError
        If an input is out of its domain.

    Examples
    --------
    >>> from theory.learning.spectrum import PowerLaw
    >>> task = PowerLaw(a=1.5, b=1.25)
    >>> cross_loss(task, 100, 200, 1e3, other_N=50, other_P=300, common=100).value.round(4).item()
    0.3902
    """
    if same_projection and other_N is not None:
        raise DynamicsError(
            "predictors with one projection have one N; leave other_N out, or pass "
            "same_projection=False."
        )
    names = ("N", "P", "t", "noise", "N", "P", "common")
    other_N, other_P = (N if other_N is None else other_N), (P if other_P is None else other_P)
    given = (N, P, t, noise, other_N, other_P, common)
    arrays = [checked(n, x) for n, x in zip(names, given, strict=True)]
    try:
        N, P, t, noise, other_N, other_P, common = np.broadcast_arrays(*arrays)
    except ValueError:
        shapes = ", ".join(str(x.shape) for x in arrays)
        raise DynamicsError(f"sizes, t and noise must broadcast; got shapes {shapes}.") from None
    if (common > np.minimum(P, other_P)).any():
        raise DynamicsError(
            f"common must be at most P and other_P; got {common.max():g} with P={P.min():g} and "
            f"other_P={other_P.min():g}."
        )
    first = Points.of(N, P, t, noise, discrete=False)
    second = Points.of(other_N, other_P, t, noise, discrete=False)
    # P_o/(P P'), which vanishes where either has infinitely many examples.
    overlap = common.ravel() / first.P / second.P
    value, code = np.empty(len(first.t)), np.zeros(len(first.t), dtype=int)
    residual = 0.0
    with jax.enable_x64(True):
        mode = max(first.mode(getattr(task, "b", None)), second.mode(getattr(task, "b", None)))
        task = task.resolved(mode=mode, accuracy=1e-9)
        ended, start = np.isinf(first.t), first.t == 0
        between = ~ended & ~start
        for chosen, compute in ((between, _at_times), (ended, _at_end)):
            if chosen.any():
                p, q = first.subset(chosen), second.subset(chosen)
                sizes = 1 / p.N, 1 / p.P, 1 / q.N, 1 / q.P, overlap[chosen]
                found = compute(task, *sizes, p.t, p.noise, same_projection=same_projection)
                value[chosen], code[chosen] = np.asarray(found[0]), np.asarray(found[1])
                residual = max(residual, float(np.max(found[2])))
        value[start] = float(jnp.sum(task.counts * task.powers)) + first.noise[start]
    nodes = window_nodes(1.0, 1.0, 1e-9) if between.any() else 0
    stats = Statistics(nodes, task.eigenvalues.shape[0], residual, 1e-9 if nodes else 0.0)
    code[(code == Status.OK) & ~(value >= 0)] = Status.NOT_ACCURATE
    return Solution(value.reshape(N.shape), code.reshape(N.shape), stats)


@partial(jax.jit, static_argnames="same_projection")
def _at_times(
    task: AbstractTask,
    inverse_N: Array,
    inverse_P: Array,
    other_N: Array,
    other_P: Array,
    overlap: Array,
    t: Array,
    noise: Array,
    *,
    same_projection: bool,
) -> tuple[Array, Array, Array]:
    nodes = window_nodes(1.0, 1.0, 1e-9)
    path = GradientFlow().path(t, t, nodes, 1e-11)
    one, code, residual = at_nodes(task, path, inverse_N, inverse_P)
    two, other_code, other_residual = at_nodes(task, path, other_N, other_P)
    at = _setting(inverse_N, inverse_P, other_P, noise, overlap)
    kernel = KERNELS["test" if same_projection else "same_data"]
    plain, mirrored = (
        kernel(one, other, _pairs(task, one, other), at) for other in (two, conjugate(two))
    )
    v = (path.amplitude / path.z * jnp.exp(path.z * t[:, None]))[:, None]
    return (
        bilinear(plain, mirrored, v, v)[:, 0],
        jnp.maximum(code, other_code),
        jnp.maximum(residual, other_residual),
    )


@partial(jax.jit, static_argnames="same_projection")
def _at_end(
    task: AbstractTask,
    inverse_N: Array,
    inverse_P: Array,
    other_N: Array,
    other_P: Array,
    overlap: Array,
    t: Array,
    noise: Array,
    *,
    same_projection: bool,
) -> tuple[Array, Array, Array]:
    """The limit of late times, in which only kappa_0 and kappa_0' are left."""
    one, two = (
        one_point(task, static_scale(task, N, P, 0.0))
        for N, P in ((inverse_N, inverse_P), (other_N, other_P))
    )
    at = _setting(inverse_N, inverse_P, other_P, noise, overlap)
    kernel = KERNELS["test" if same_projection else "same_data"]
    value = kernel(one, two, _pairs(task, one, two), at)
    return value[:, 0, 0], jnp.zeros(t.shape, int), jnp.zeros_like(t)


def _pairs(task: AbstractTask, one: OnePoint, other: OnePoint) -> TwoPoint:
    # Scales of unlike sizes can be close together, where divided differences lose digits.
    return two_point_pairs(task, one.kappa, other.kappa)


def _setting(
    inverse_N: Array, inverse_P: Array, other_P: Array, noise: Array, overlap: Array
) -> Setting:
    N, P, noise, overlap, P_prime = (
        x[:, None, None] for x in (inverse_N, inverse_P, noise, overlap, other_P)
    )
    return Setting(N, P, noise, overlap, P_prime)
