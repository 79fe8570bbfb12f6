r"""Losses along curves of training, as pure functions for `jax.jit`, `jax.grad` and `jax.vmap`.

Nothing here checks its input or raises at run time; codes of `theory.learning.dmft.solution.Status`
come back beside values. All work stays on the device. The dtype is that of the inputs: double
precision is exact to the accuracy asked for, single precision to about 2e-5 with 6 to 8 nodes a
point.

Several devices: place N, P and t with `jax.NamedSharding` over the axis of pairs and call
`loss_curves` with ``chunk=None`` under `jax.jit`; pairs are independent, so the program is
partitioned along that axis without communication.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike

from theory.learning.dmft.contour import Nodes, bilinear, hyperbola, point_hyperbola
from theory.learning.dmft.dynamics import Path
from theory.learning.dmft.scale import renormalised_scale
from theory.learning.dmft.solution import Status
from theory.learning.dmft.two_point import KERNELS, Setting
from theory.learning.mode_sums import OnePoint, divided_differences, lift, one_point
from theory.learning.spectrum import PowerLaw
from theory.learning.task import AbstractSpectrum

RESIDUAL = 1e4
"""Multiples of the precision that count as a root."""

CHUNK = 1024
"""Pairs at a time, by default: some 100 MB in double precision."""


def conjugate(one: OnePoint) -> OnePoint:
    """Sums at the conjugate scales."""
    return OnePoint(*(jnp.conj(x) for x in one))


def at_nodes(
    spectrum: AbstractSpectrum,
    nodes: Nodes | Path,
    inverse_N: Array,
    inverse_P: Array,
    *,
    follow: bool = False,
    inverse_M: float = 0.0,
) -> tuple[OnePoint, Array, Array]:
    """Sums over modes at the nodes' scales, a status code and the Newton residual, (*batch,)."""
    kappa = renormalised_scale(
        spectrum, nodes.z, inverse_N, inverse_P, follow=follow, inverse_M=inverse_M
    )
    one = one_point(spectrum, kappa)
    R1 = 1 - one.df1 * jnp.asarray(inverse_P)[..., None]
    R3 = (1 - one.df1 * jnp.asarray(inverse_N)[..., None]) / (1 - one.df1 * inverse_M)
    residual = jnp.max(jnp.abs(kappa * R1 * R3 / nodes.z - 1), -1)
    # Where factors cancel, at large times, the residual is that of kappa times their inverse.
    scale = jnp.max(jnp.abs(kappa / nodes.z), -1)
    eps = jnp.finfo(residual.dtype).eps
    converged = (residual < RESIDUAL * eps * (1 + scale)) & jnp.all(kappa.imag > 0, -1)
    code = jnp.where(converged, int(Status.OK), int(Status.NOT_CONVERGED))
    if getattr(spectrum, "modes", 0) is None:
        smallest = lift(spectrum.eigenvalues[..., -7], residual.ndim)
        unresolved = smallest > jnp.min(jnp.abs(kappa), -1) / 10
        code = jnp.where(unresolved, int(Status.NOT_RESOLVED), code)
    return one, code, residual


def kernels(one: OnePoint, observable: str, setting: Setting) -> tuple[Array, Array]:
    """A kernel at pairs of nodes, and at nodes and conjugates of nodes: C1, C2 of `bilinear`."""
    kernel = KERNELS[observable]
    other = conjugate(one)
    return (
        kernel(one, one, divided_differences(one, one), setting),
        kernel(one, other, divided_differences(one, other), setting),
    )


def contract(one: OnePoint, left: Array, right: Array, observable: str, setting: Setting) -> Array:
    """The double contour integral of a kernel; left and right are (*batch, time, at)."""
    return bilinear(*kernels(one, observable, setting), left, right)


def setting_of(
    inverse_N: Array, inverse_P: Array, noise: Array, share: ArrayLike = 1.0, inverse_M: float = 0.0
) -> Setting:
    """The setting of two predictors of one size that share a part of their data, (*batch,)."""
    overlap = share * jnp.asarray(inverse_P)
    N, P, noise, overlap = (
        jnp.asarray(x)[..., None, None] for x in (inverse_N, inverse_P, noise, overlap)
    )
    return Setting(N, P, noise, overlap, P, inverse_M)


def _curves(
    task: AbstractSpectrum,
    inverse_N: Array,
    inverse_P: Array,
    t: Array,
    noise: Array,
    *,
    nodes: int,
    accuracy: float,
    observable: str,
) -> tuple[Array, Array, Array]:
    path = hyperbola(jnp.min(t, -1), jnp.max(t, -1), nodes, accuracy=accuracy)
    return _along(path, task, inverse_N, inverse_P, t, noise, observable)


def _along(
    path: Nodes,
    task: AbstractSpectrum,
    inverse_N: Array,
    inverse_P: Array,
    t: Array,
    noise: Array,
    observable: str,
) -> tuple[Array, Array, Array]:
    """Losses by one contour for all times t, (*batch, time), a status code and the residual."""
    one, code, residual = at_nodes(task, path, inverse_N, inverse_P)
    v = jnp.exp(t[..., :, None] * path.z[..., None, :]) * (path.weight / path.z)[..., None, :]
    value = contract(one, v, v, observable, setting_of(inverse_N, inverse_P, noise))
    return value, code, residual


def loss_curves(
    task: AbstractSpectrum,
    N: ArrayLike,
    P: ArrayLike,
    t: ArrayLike,
    noise: ArrayLike = 0.0,
    *,
    nodes: int = 40,
    accuracy: float = 1e-6,
    observable: str = "test",
    chunk: int | None = CHUNK,
) -> tuple[Array, Array]:
    """Losses of gradient flow along the curves of many pairs (N, P); pure.

    Each pair has one contour for all its times.

    Parameters
    ----------
    task
        A spectrum, the same for all pairs.
    N, P, noise
        Sizes (``inf`` allowed) and sigma^2, of shape (pair,) or scalars.
    t
        Times, (pair, time): positive and finite.
    nodes
        Of the contour's upper half; `theory.learning.dmft.contour.nodes_for` says how many a window
        needs (40 for three decades at 1e-6).
    accuracy
        Where the contour is cut off.
    observable
        A name in `theory.learning.dmft.two_point.KERNELS`.
    chunk
        Pairs at a time: memory does not grow with the number of pairs. None for all at once.

    Returns
    -------
    value, code
        (pair, time) and (pair,): losses with sigma^2, and status codes.

    Examples
    --------
    >>> with jax.enable_x64(True):
    ...     value, code = loss_curves(
    ...         PowerLaw(a=1.5, b=1.25), jnp.array([100.0]), jnp.inf, jnp.array([[1.0, 10.0]])
    ...     )
    >>> value.round(5).tolist(), code.tolist()
    ([[1.39371, 0.67818]], [0])
    """
    inputs = _rows(t, N, P, noise)
    run = partial(_curves, nodes=nodes, accuracy=accuracy, observable=observable)
    value, code, _ = chunked(run, task, inputs, chunk)
    return value, code


def _rows(t: ArrayLike, N: ArrayLike, P: ArrayLike, noise: ArrayLike) -> tuple[Array, ...]:
    """1/N, 1/P, t and noise, each with one row a pair."""
    t = jnp.asarray(t)
    like = t.dtype if jnp.issubdtype(t.dtype, jnp.floating) else jnp.result_type(float)
    N, P, noise = (jnp.broadcast_to(jnp.asarray(x, like), t.shape[:1]) for x in (N, P, noise))
    return 1 / N, 1 / P, t.astype(like), noise


def chunked(
    run: Callable[..., tuple[Array, ...]],
    task: AbstractSpectrum,
    inputs: tuple[Array, ...],
    chunk: int | None,
) -> tuple[Array, ...]:
    """``run(task, *inputs)``, at most `chunk` rows at a time."""
    if chunk is None or inputs[0].shape[0] <= chunk:
        return run(task, *inputs)

    # Each chunk is computed again on the way back, so that reverse mode keeps none of its arrays.
    @jax.checkpoint
    def one(row: tuple[Array, ...]) -> tuple[Array, ...]:
        found = run(task, *(x[None] for x in row))
        return jax.tree.map(lambda x: x[0], found)

    return jax.lax.map(one, inputs, batch_size=chunk)


def loss_at(
    task: AbstractSpectrum,
    N: ArrayLike,
    P: ArrayLike,
    t: ArrayLike,
    noise: ArrayLike = 0.0,
    *,
    nodes: int = 9,
    observable: str = "test",
) -> Array:
    """Losses of gradient flow at points (N, P, t), each with its own contour; pure.

    Parameters
    ----------
    task
        A spectrum; its a and b may be arrays that broadcast against the points.
    N, P, t, noise
        Arrays of one rank that broadcast; sizes may be ``inf``, times are positive and finite.
    nodes
        Of each contour: 5 give 4e-5, 6 give 4e-6, 7 give 4e-7, 8 give 4e-8; more than 16 lose
        digits to rounding.

    Returns
    -------
    value
        Of the broadcast shape; NaN where the scale was not found.

    Examples
    --------
    >>> with jax.enable_x64(True):
    ...     print(loss_at(PowerLaw(a=1.5, b=1.25), 100.0, jnp.inf, 10.0).round(5))
    0.67818
    """
    kind = jnp.result_type(task.eigenvalues)
    rank = max(jnp.ndim(x) for x in (N, P, t, noise))
    N, P, t, noise = (lift(jnp.asarray(x, kind), rank) for x in (N, P, t, noise))
    path = point_hyperbola(t, nodes)
    value, code, _ = _along(path, task, 1 / N, 1 / P, t[..., None], noise, observable)
    return jnp.where(code == int(Status.NOT_CONVERGED), jnp.nan, value[..., 0])


def log_loss_at(
    a: ArrayLike,
    b: ArrayLike,
    log_N: ArrayLike,
    log_P: ArrayLike,
    log_t: ArrayLike,
    noise: ArrayLike = 0.0,
    *,
    nodes: int = 9,
    reach: int = 2**30,
    order: int = 6,
    modes: int | None = None,
) -> Array:
    """Log of the test loss of gradient flow on a power law, in logs of sizes and time; pure.

    The function from which a law is declared: elementwise, differentiable in every argument in
    both modes and to any order, on any device.

    Parameters
    ----------
    a, b
        Exponents, both above 1.
    log_N, log_P, log_t
        Natural logarithms; ``inf`` for an infinite size.
    noise
        sigma^2.
    nodes, reach, order, modes
        As of `loss_at` and `theory.learning.spectrum.PowerLaw`.

    Examples
    --------
    >>> with jax.enable_x64(True):
    ...     slope = jax.grad(log_loss_at, argnums=4)(1.5, 1.25, jnp.inf, jnp.inf, 20.0)
    ...     print(slope.round(4))  # -(a - 1)/b
    -0.4
    """
    a, b = jnp.asarray(a), jnp.asarray(b)
    rank = max(jnp.ndim(x) for x in (a, b, log_N, log_P, log_t, noise))
    a, b, N, P, t, noise = (lift(jnp.asarray(x), rank) for x in (a, b, log_N, log_P, log_t, noise))
    a, b = jnp.broadcast_arrays(a, b)
    task = PowerLaw(a, b, modes=modes, reach=reach, order=order)
    return jnp.log(loss_at(task, jnp.exp(N), jnp.exp(P), jnp.exp(t), noise, nodes=nodes))
