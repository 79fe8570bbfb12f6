"""Rows of a data matrix as distinct points, and the distances to their nearest neighbours."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from theory.errors import TheoryError

LEAST_POINTS = 64
"""Fewest distinct points from which a geometry is estimated."""

MEMORY = 2 * 2**30
"""Bytes that the points of a sample may take."""

BLOCK = 2**22
"""Distances held at a time."""

SPARE = 8
"""Candidates beyond the neighbours asked for, so that rounding in the search loses none."""


class GeometryError(TheoryError):
    """The data, or what is asked of them, do not let their geometry be estimated."""


@dataclass(frozen=True)
class Sample:
    """Distinct points drawn from a data matrix, in random order.

    Parameters
    ----------
    points
        Shape ``(point, column)``, centred; columns that do not vary are left out.
    rows
        Of the data matrix, that of each point.
    remarks
        What was left out, a sentence each.
    """

    points: Float[np.ndarray, "point column"]
    rows: Int[np.ndarray, " point"]
    remarks: tuple[str, ...]


def draw_sample(data: Any, *, rows: int, seed: int) -> Sample:
    """Draw distinct rows of a data matrix at random.

    Parameters
    ----------
    data
        A real matrix with a row for each example. It may be larger than memory if it reads the
        rows asked for only, as `numpy.memmap` does.
    rows
        Most rows to draw.
    seed
        Seed of the draw.

    Raises
    ------
    GeometryError
        The data are no matrix of real numbers, hold values that are not finite, need too much
        memory, or have too few distinct rows.

    Examples
    --------
    >>> data = np.random.default_rng(0).normal(size=(1000, 3))
    >>> sample = draw_sample(data, rows=100, seed=0)
    >>> sample.points.shape, sample.remarks
    ((100, 3), ('100 of 1000 rows are used, drawn with seed 0.',))
    """
    if not (hasattr(data, "shape") and hasattr(data, "dtype")):
        try:
            data = np.asarray(data)
        except ValueError:
            raise GeometryError(
                "the data must be a matrix of real numbers; the rows given differ in length, so "
                "fill up or cut them to one length."
            ) from None
    if len(data.shape) != 2 or data.dtype.kind not in "biuf":
        raise GeometryError(
            "the data must be a matrix of real numbers with a row for each example; got "
            f"{data.dtype} of shape {tuple(data.shape)}: flatten each example to a row of numbers."
        )
    if rows < LEAST_POINTS:
        raise GeometryError(f"rows must be {LEAST_POINTS} or more; got {rows}.")
    count, columns = data.shape
    taken = min(rows, count)
    if 8 * taken * columns > MEMORY:
        raise GeometryError(
            f"{taken} rows of {columns} columns take {8 * taken * columns / 2**30:.1f} GiB in "
            f"double precision, and {MEMORY // 2**30} GiB are allowed; pass a smaller rows=, or "
            "project the columns at random first."
        )
    rng = np.random.default_rng(seed)
    # In the order of the file, which a memory map reads fastest.
    picked = np.sort(rng.permutation(count)[:taken])
    points = np.asarray(data[picked], dtype=np.float64)
    remarks = (
        [] if taken == count else [f"{taken} of {count} rows are used, drawn with seed {seed}."]
    )
    bad = ~np.isfinite(points)
    if bad.any():
        first, column = (int(at) for at in np.argwhere(bad)[0])
        raise GeometryError(
            f"the data hold {int(bad.sum())} values that are not finite in the rows used, the "
            f"first in row {int(picked[first])}, column {column}; drop such rows, or fill them in."
        )
    varies = np.ptp(points, axis=0) > 0 if taken else np.zeros(columns, bool)
    points = points[:, varies] + 0.0  # so that -0. and 0. are the same bytes
    first = {row.tobytes(): at for at, row in reversed(list(enumerate(points)))}
    if len(first) < LEAST_POINTS:
        raise GeometryError(
            f"the data have {len(first)} distinct rows among the {taken} used, and {LEAST_POINTS} "
            "or more are needed; give more examples, or continuous inputs instead of categories."
        )
    if constant := int((~varies).sum()):
        remarks.append(f"{constant} of {columns} columns do not vary and are left out.")
    if repeated := taken - len(first):
        remarks.append(f"{repeated} of {taken} rows repeat others and are left out.")
    order = rng.permutation(sorted(first.values()))
    points = points[order]
    return Sample(points - points.mean(axis=0), picked[order], tuple(remarks))


def neighbour_distances(
    points: Float[np.ndarray, "point column"], neighbours: int
) -> Float[np.ndarray, "point neighbours"]:
    """Euclidean distances from each point to its nearest others, ascending.

    Candidates are found by ``|x|^2 + |y|^2 - 2 x.y``, a block of points at a time, and their
    distances then taken from the differences, which do not cancel.

    Parameters
    ----------
    points
        Distinct points.
    neighbours
        How many of the nearest; fewer than there are points.

    Raises
    ------
    GeometryError
        There are not as many other points.

    Examples
    --------
    >>> neighbour_distances(np.array([[0.0], [1.0], [3.0]]), 2).tolist()
    [[1.0, 3.0], [1.0, 2.0], [2.0, 3.0]]
    """
    count = len(points)
    if not 1 <= neighbours < count:
        raise GeometryError(
            f"each of {count} points has {count - 1} neighbours; {neighbours} were asked for."
        )
    kept = min(neighbours + SPARE, count - 1)
    norms = np.einsum("ij,ij->i", points, points)
    found = np.empty((count, neighbours))
    step = max(1, BLOCK // max(count, kept * points.shape[1]))
    for start in range(0, count, step):
        block = points[start : start + step]
        squares = norms[None] - 2 * block @ points.T  # up to |x|^2, which orders nothing
        squares[np.arange(len(block)), np.arange(start, start + len(block))] = np.inf
        near = np.argpartition(squares, kept - 1, axis=1)[:, :kept]
        distances = np.linalg.norm(points[near] - block[:, None], axis=2)
        found[start : start + step] = np.sort(distances, axis=1)[:, :neighbours]
    return found
