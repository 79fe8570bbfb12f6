"""The learning curve of a kernel on given inputs, before any training, and its exponent.

For a teacher drawn from the Gaussian process of a kernel K, with no noise on its labels, the mean
squared error of the kernel's own regression on ``D`` examples is the posterior variance

    L(D) = E_x [K(x, x) - K(x, X) K(X, X)^-1 K(X, x)] ~ D^-alpha_K,

the data-limited loss of random features with infinitely many features, too. With the
neural tangent kernel of a network it is that of the network trained lazily, on such teachers.
Its slope is a better estimate of ``alpha_K`` than the tail of the spectrum of the Gram matrix,
which finitely many examples distort.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from theory.learning.geometry.kernels import radial_kernel
from theory.learning.geometry.sample import MEMORY, GeometryError, draw_sample

ROWS = 2048
"""Most rows that are used unless more are asked for."""

HELD_OUT = 0.25
"""Share of the rows at which the variance is measured."""

SPAN, SIZES, LEAST_SIZES = 16, 13, 4
"""Largest D over the smallest, how many D between, and the fewest that make a slope."""

JITTERS = (1e-11, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6)
"""Added to the diagonal, in mean diagonals: the first with which the matrix is definite; single
precision needs the largest."""

ABOVE_JITTER = 300.0
"""Least variance, in jitters, that is a measurement."""


@dataclass(frozen=True)
class LearningCurve:
    """Posterior variance of a kernel over the number of examples, and its exponent.

    Parameters
    ----------
    kernel
        Its name, or that of the function.
    alpha
        ``alpha_K``: minus the slope of log variance over log D, by least squares.
    standard_error
        Of `alpha` over the random choices of examples, which share rows.
    drift
        Slope of the upper half of the curve minus that of the lower, in `alpha`: a curve that has
        not settled to a power has one that is not small.
    sizes, variances
        D, and the mean variance there as a share of the prior variance.
    length_scale
        Of a named kernel, in units of the data.
    remarks
        What was left out, a sentence each.
    """

    kernel: str
    alpha: float
    standard_error: float
    drift: float
    sizes: tuple[int, ...]
    variances: tuple[float, ...]
    length_scale: float | None
    remarks: tuple[str, ...]


def variance_curve(
    gram: Float[np.ndarray, "row row"], examples: int
) -> tuple[Float[np.ndarray, " size"], float]:
    """Mean posterior variance with the first 1, 2, ... rows as examples, at the rows after these.

    One Cholesky factor serves all sizes: with ``K = L L^T`` and ``V = L^-1 k(X, x)`` the variance
    after D examples is ``k(x, x) - sum_(i <= D) V_i(x)^2``.

    Parameters
    ----------
    gram
        Kernel between all pairs of rows, symmetric.
    examples
        How many rows are examples.

    Returns
    -------
    Float[ndarray, "size"], float
        Variances, as shares of the prior's, for D = 1 ... `examples`, and the jitter used.

    Raises
    ------
    GeometryError
        The matrix is not positive definite.

    Examples
    --------
    >>> variance_curve(np.array([[1.0, 0.5], [0.5, 1.0]]), 1)[0].round(6).tolist()
    [0.75]
    """
    from scipy.linalg import solve_triangular

    scale = float(np.trace(gram)) / len(gram)
    prior = float(np.diagonal(gram)[examples:].mean())
    for jitter in JITTERS:
        try:
            block = gram[:examples, :examples] / scale
            factor = np.linalg.cholesky(block + jitter * np.eye(examples))
        except np.linalg.LinAlgError:
            continue
        seen = solve_triangular(factor, gram[:examples, examples:] / scale, lower=True)
        return 1.0 - np.cumsum(np.mean(seen**2, axis=1)) * scale / prior, jitter
    raise GeometryError(
        f"the kernel is not positive definite on {examples} of the rows, even with {JITTERS[-1]:g} "
        "of its mean added to the diagonal; pass a kernel, computed in double precision."
    )


def kernel_exponent(
    data: Any,
    kernel: str | Callable[[Any, Any], Any] = "laplace",
    *,
    length_scale: float | None = None,
    rows: int = ROWS,
    repeats: int = 5,
    seed: int = 0,
) -> LearningCurve:
    """Exponent of a kernel's learning curve on given inputs.

    Parameters
    ----------
    data
        Matrix with a row for each example.
    kernel
        A name in `KERNELS`, or a function of two matrices of rows that returns the matrix of
        kernels between them, such as an empirical neural tangent kernel; it is called once.
    length_scale
        Of a named kernel; by default the median distance between rows.
    rows
        Most rows to use, of which three quarters are examples.
    repeats
        Random choices of examples, two or more.
    seed
        Of the rows and the choices.

    Raises
    ------
    GeometryError
        As `draw_sample` and `variance_curve`; a number is out of range; the function returns
        something else than a kernel; or the variance falls to rounding at once.

    Examples
    --------
    >>> line = np.random.default_rng(0).uniform(size=(600, 1))
    >>> curve = kernel_exponent(line, "laplace")
    >>> abs(curve.alpha - 1) < 0.1  # smoothness 1 over dimension 1
    True
    """
    if repeats < 2:
        raise GeometryError(f"repeats must be 2 or more, for a standard error; got {repeats}.")
    # The kernel, its copy in another order, and the blocks that are solved with.
    if 4 * 8 * rows**2 > MEMORY:
        raise GeometryError(
            f"rows={rows} needs {32 * rows**2 / 2**30:.1f} GiB for kernels between all pairs, and "
            f"{MEMORY // 2**30} GiB are allowed; pass {math.isqrt(MEMORY // 32)} or fewer."
        )
    sample = draw_sample(data, rows=rows, seed=seed)
    if isinstance(kernel, str):
        if length_scale is not None and not (math.isfinite(length_scale) and length_scale > 0):
            raise GeometryError(f"length_scale must be finite and positive; got {length_scale}.")
        radial = radial_kernel(kernel)
        distances = _distances(sample.points)
        length_scale = length_scale or float(
            np.median(distances[np.triu_indices(len(distances), 1)])
        )
        name, gram = kernel, radial.of_distance(distances / length_scale)
    elif length_scale is not None:
        raise GeometryError("length_scale is that of a named kernel; leave it out for a function.")
    else:
        name = getattr(kernel, "__name__", type(kernel).__name__)
        points = np.asarray(data)[sample.rows] if not hasattr(data, "shape") else data[sample.rows]
        gram = _checked(kernel(points, points), len(points), name)

    examples = len(gram) - max(1, round(HELD_OUT * len(gram)))
    rng = np.random.default_rng([seed, 1])
    curves, jitters = [], []
    for _ in range(repeats):
        order = rng.permutation(len(gram))
        curve, jitter = variance_curve(gram[np.ix_(order, order)], examples)
        curves.append(curve)
        jitters.append(jitter)
    sizes = np.unique(np.geomspace(max(2, examples // SPAN), examples, SIZES).astype(int))
    table = np.array(curves)[:, sizes - 1]
    measured = (table > ABOVE_JITTER * max(jitters)).all(axis=0)
    sizes, table, remarks = sizes[measured], table[:, measured], list(sample.remarks)
    if len(sizes) < LEAST_SIZES:
        raise GeometryError(
            f"the variance of kernel '{name}' falls to the size of rounding before D = {examples} "
            "examples, so its curve has no slope to measure; choose a rougher kernel or a shorter "
            "length_scale."
        )
    if not measured.all():
        remarks.append(f"D above {int(sizes[-1])} is left out: the variance is near rounding.")
    slopes = _slopes(sizes, table)
    half = len(sizes) // 2
    return LearningCurve(
        name,
        float(slopes.mean()),
        float(slopes.std(ddof=1)) / math.sqrt(repeats),
        float(
            np.mean(
                _slopes(sizes[half:], table[:, half:])
                - _slopes(sizes[: half + 1], table[:, : half + 1])
            )
        ),
        tuple(sizes.tolist()),
        tuple(table.mean(axis=0).tolist()),
        length_scale,
        tuple(remarks),
    )


def _slopes(sizes: np.ndarray, table: Float[np.ndarray, "repeat size"]) -> np.ndarray:
    """Exponent of each repeat's curve."""
    logs = np.log(sizes) - np.log(sizes).mean()
    return -(np.log(table) @ logs) / (logs @ logs)


def _distances(points: Float[np.ndarray, "row column"]) -> Float[np.ndarray, "row row"]:
    from scipy.spatial.distance import pdist, squareform

    return squareform(pdist(points))


def _checked(found: Any, rows: int, name: str) -> Float[np.ndarray, "row row"]:
    """What the user's kernel returned, if it can be one."""
    gram = np.asarray(found, dtype=np.float64)
    if gram.shape != (rows, rows):
        raise GeometryError(
            f"kernel '{name}' returned an array of shape {gram.shape} for {rows} and {rows} rows; "
            f"it must return one of shape ({rows}, {rows})."
        )
    if not np.isfinite(gram).all():
        raise GeometryError(f"kernel '{name}' returned values that are not finite.")
    if not (np.diagonal(gram) > 0).all():
        raise GeometryError(
            f"kernel '{name}' has a diagonal that is not positive; it must be the variance of "
            "labels at each row."
        )
    if np.abs(gram - gram.T).max() > 1e-5 * np.abs(gram).max():
        raise GeometryError(f"kernel '{name}' is not symmetric; a kernel is, by definition.")
    return (gram + gram.T) / 2
