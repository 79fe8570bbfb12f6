"""Averages over random draws: reproducible from a seed, in chunks that bound memory."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any, final

import jax
import numpy as np
from jaxtyping import Array, ArrayLike, Float64, Int, Key

from theory.errors import TheoryError

FLOATS = 25_000_000
"""Numbers in double precision held at once by a chunk of draws: 200 MB."""


OneDraw = Callable[[Key[Array, ""], Any], Array]
"""From a key and what all draws share to the observables of one draw, (time,).

Hashable, so that it is compiled once.
"""


@final
@dataclass(frozen=True, eq=False)
class Simulated:
    """Mean over independent draws, and its standard error.

    Parameters
    ----------
    mean
        Of the shape of the times asked for.
    standard_error
        Standard deviation over draws divided by the root of their number; the same shape. Errors
        at different times come from the same draws and are strongly correlated.
    draws
        Number of draws.
    seed
        They are reproduced by it; draw i does not depend on how many there are.
    """

    mean: np.ndarray
    standard_error: np.ndarray
    draws: int
    seed: int


def summarise(values: Float64[np.ndarray, "draw *shape"], seed: int) -> Simulated:
    """Mean and standard error of values by draw.

    Raises
    ------
    TheoryError
        If there are fewer than two draws, or a value is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> found = summarise(np.array([[1.0], [3.0]]), seed=0)
    >>> found.mean, found.standard_error
    (array([2.]), array([1.]))
    """
    draws = len(values)
    if draws < 2:
        raise TheoryError(f"a standard error needs at least 2 draws; got draws={draws}.")
    bad = np.flatnonzero(~np.isfinite(values).reshape(draws, -1).all(axis=1))
    if bad.size:
        raise TheoryError(
            f"{bad.size} of {draws} draws have no finite loss (first: draw {bad[0]} of seed "
            f"{seed}), so the dynamics diverged; lower the learning rate or the time."
        )
    error = values.std(axis=0, ddof=1) / np.sqrt(draws)
    return Simulated(np.asarray(values.mean(axis=0)), np.asarray(error), draws, seed)


def by_draw(
    one: OneDraw, arrays: Any, *, first: int, draws: int, seed: int, floats: int, fixed: bool
) -> Float64[np.ndarray, "draw *shape"]:
    """Values of draws ``first, first + 1, ...``, each from a key of its own.

    Draw i has the key ``fold_in(key(seed), i)``: a run in several parts, or in chunks of another
    size, gives the same values to rounding.

    Parameters
    ----------
    one
        Called as ``one(key, arrays)`` under `jax.vmap` and `jax.jit`, in double precision.
    arrays
        What it needs beside; a pytree of arrays.
    first, draws
        Which draws.
    seed
        Not negative.
    floats
        Numbers a draw holds, from which the size of a chunk follows.
    fixed
        Whether nothing is random, so that one evaluation serves all draws.

    Raises
    ------
    TheoryError
        If a count or the seed is out of range.
    """
    for name, value, least in (("draws", draws, 1), ("first", first, 0), ("seed", seed, 0)):
        if not isinstance(value, int) or value < least:
            raise TheoryError(f"{name} must be a whole number of at least {least}; got {value}.")
    if not isinstance(one, Hashable):
        raise TheoryError(f"{one} cannot be hashed, so it would be compiled for every chunk.")
    width = 1 if fixed else max(1, min(draws, FLOATS // floats))
    parts = []
    with jax.enable_x64(True):
        for start in range(first, first + (1 if fixed else draws), width):
            # The last chunk is filled up, so that one program serves all.
            indices = np.arange(start, start + width)
            parts.append(np.asarray(_chunk(one, seed, indices, arrays)))
    values = np.concatenate(parts)
    return np.repeat(values, draws, axis=0) if fixed else values[:draws]


@partial(jax.jit, static_argnums=0)
def _chunk(one: OneDraw, seed: ArrayLike, indices: Int[Array, " draw"], arrays: Any) -> Array:
    root: Key[Array, ""] = jax.random.key(seed)
    return jax.vmap(lambda index: one(jax.random.fold_in(root, index), arrays))(indices)
