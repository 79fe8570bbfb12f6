"""Points (N, P, t, noise) as a host gives them: checked, and packed into curves of training.

Points of one pair (N, P) and noise share a contour, so they are sorted into rows: one row a pair,
or several where a pair's times span many decades.
"""

import math
from dataclasses import dataclass

import numpy as np
from jax.core import Tracer
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike

from theory.learning.dmft.solution import DynamicsError

DECADES = 5.0
"""Most decades of time in one window."""

DOMAINS = {
    "N": (1.0, "a number of features of at least 1, or inf"),
    "P": (1.0, "a number of examples of at least 1, or inf"),
    "t": (0.0, "a time of at least 0, or inf"),
    "t_prime": (0.0, "a time of at least 0, or inf"),
    "lag": (0.0, "a time of at least 0"),
    "common": (0.0, "a number of examples of at least 0"),
    "noise": (0.0, "sigma^2, a finite variance of at least 0"),
}


def checked(name: str, value: ArrayLike) -> Float[np.ndarray, "..."]:
    """An input as an array of doubles in its domain.

    Raises
    ------
    DynamicsError
        If it is traced, no number, NaN, or out of its domain.
    """
    if isinstance(value, Tracer):
        raise DynamicsError(
            f"{name} is traced by JAX, and this function checks its input on the host; inside jit, "
            "grad or vmap call dmft.loss_at, dmft.loss_curves or dmft.log_loss_at."
        )
    low, domain = DOMAINS[name]
    array = np.asarray(value)
    if array.dtype.kind not in "iuf":
        raise DynamicsError(f"{name} must be {domain}; got {value!r}.")
    array = array.astype(np.float64)
    bad = ~(array >= low) | (np.isinf(array) & (name in ("noise", "lag", "common")))
    if bad.any():
        raise DynamicsError(f"{name} must be {domain}; got {array[bad].flat[0]}.")
    return array


def few(count: int) -> int:
    """The next of 1, 2, 4, 8, 16, ..., and from 32 multiples of 32: programs have a shape."""
    return 32 * math.ceil(count / 32) if count > 16 else 2 ** math.ceil(math.log2(count))


@dataclass(frozen=True)
class Points:
    """Flat arrays of one length, and the shape they had."""

    N: Float[np.ndarray, "point"]
    P: Float[np.ndarray, "point"]
    t: Float[np.ndarray, "point"]
    noise: Float[np.ndarray, "point"]
    shape: tuple[int, ...]

    @classmethod
    def of(
        cls, N: ArrayLike, P: ArrayLike, t: ArrayLike, noise: ArrayLike, *, discrete: bool
    ) -> "Points":
        """Broadcast and check.

        Raises
        ------
        DynamicsError
            If an input is out of its domain, or shapes do not broadcast.
        """
        given = {"N": N, "P": P, "t": t, "noise": noise}
        arrays = {name: checked(name, value) for name, value in given.items()}
        try:
            shape = np.broadcast_shapes(*(x.shape for x in arrays.values()))
        except ValueError:
            shapes = ", ".join(f"{name} {x.shape}" for name, x in arrays.items())
            raise DynamicsError(f"N, P, t and noise must broadcast; got shapes {shapes}.") from None
        steps = arrays["t"][np.isfinite(arrays["t"])]
        if discrete and np.any(steps != np.round(steps)):
            wrong = steps[steps != np.round(steps)][0]
            raise DynamicsError(
                f"t counts steps in discrete dynamics, so it must be whole; got {wrong}. Use "
                "GradientFlow for a continuous time."
            )
        flat = {name: np.broadcast_to(x, shape).ravel() for name, x in arrays.items()}
        return cls(**flat, shape=shape)

    def subset(self, chosen: Bool[np.ndarray, "point"]) -> "Points":
        """Some of the points."""
        return Points(
            self.N[chosen], self.P[chosen], self.t[chosen], self.noise[chosen], (int(chosen.sum()),)
        )

    def padded(self) -> "Points":
        """The points with the last one repeated, up to one of few numbers of points."""
        index = np.minimum(np.arange(few(len(self.t))), len(self.t) - 1)
        N, P, t, noise = (x[index] for x in (self.N, self.P, self.t, self.noise))
        return Points(N, P, t, noise, (len(index),))

    def mode(self, b: ArrayLike | None) -> float:
        """The largest scale of modes that a point resolves, ``min(N, P, t^(1/b))``."""
        if not len(self.N):
            return 1.0
        steepness = float(np.min(np.asarray(b))) if b is not None else 1.0
        resolved = np.minimum(np.minimum(self.N, self.P), np.maximum(self.t, 1) ** (1 / steepness))
        finite = resolved[np.isfinite(resolved)]
        return float(finite.max()) if len(finite) else 1.0


@dataclass(frozen=True)
class Rows:
    """Points as rows of times; `row` and `column` say where each point went."""

    N: Float[np.ndarray, "row"]
    P: Float[np.ndarray, "row"]
    noise: Float[np.ndarray, "row"]
    t: Float[np.ndarray, "row time"]
    row: Int[np.ndarray, "point"]
    column: Int[np.ndarray, "point"]

    @property
    def ratio(self) -> float:
        """Largest ratio of a row's last time to its first."""
        return float((self.t.max(axis=1) / self.t.min(axis=1)).max())


def packed(points: Points) -> Rows:
    """Rows of ascending times, padded with their last time and row to `few` times and rows."""
    order = np.lexsort((points.t, points.noise, points.P, points.N))
    N, P, noise, t = (x[order] for x in (points.N, points.P, points.noise, points.t))
    new = np.ones(len(t), dtype=bool)
    new[1:] = (np.diff(noise) != 0) | (P[1:] != P[:-1]) | (N[1:] != N[:-1])
    start = np.maximum.accumulate(np.where(new, np.arange(len(t)), 0))
    decade = np.floor(np.log10(t / t[start] * (1 + 1e-12)) / DECADES).astype(int)
    new[1:] |= np.diff(decade) != 0
    start = np.maximum.accumulate(np.where(new, np.arange(len(t)), 0))
    column = np.arange(len(t)) - start
    # One long row beside many short ones would be mostly padding.
    longest = max(16, 4 * math.ceil(len(t) / new.sum()))
    new |= column % longest == 0
    start = np.maximum.accumulate(np.where(new, np.arange(len(t)), 0))
    column, row = np.arange(len(t)) - start, np.cumsum(new) - 1
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(t)) - 1
    times = np.repeat(t[last][:, None], few(int(column.max()) + 1), axis=1)
    times[row, column] = t
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    filled = np.minimum(np.arange(few(len(first))), len(first) - 1)
    first = first[filled]
    return Rows(N[first], P[first], noise[first], times[filled], row[back], column[back])
