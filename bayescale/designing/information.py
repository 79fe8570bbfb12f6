"""What a batch of runs tells of what is asked, and the batch that tells most for its cost.

With V the covariance of the coordinates, g the gradient of what is asked and M = g V g', a run with
slopes j and noise variance r reduces V by the rank-one term ``V j j' V/(r + j' V j)``, so that the
information that it gives is

    1/2 log det M - 1/2 log det M' = -1/2 log(1 - a' M^-1 a/(r + j' V j)),    a = g V j,

in nats, the mutual information of two Gaussians; it is averaged over draws. A batch is filled
greedily by gain per power of cost, for several powers, and the best one improved by exchanging its
runs one after another (Fedorov 1972).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float

from bayescale.designing.linearised import LinearisedLaw, Points

POWERS = (0.0, 0.25, 0.5, 1.0)
"""Powers of the cost by which the gain of a run is divided."""

LEAST = 1e-12
"""A run with a smaller gain, in nats, adds nothing."""


@dataclass(frozen=True, eq=False)
class LinearGaussian:
    """A linear Gaussian model of what each candidate tells, under one law.

    Parameters
    ----------
    slopes
        ``d log L/du`` at each candidate.
    noise
        Variance of a run there.
    covariance
        Of the coordinates, before any candidate is run.
    gradient
        Of what is asked.
    """

    slopes: Float[np.ndarray, "draw point direction"]
    noise: Float[np.ndarray, "draw point"]
    covariance: Float[np.ndarray, "draw direction direction"]
    gradient: Float[np.ndarray, "draw quantity direction"]

    @classmethod
    def of(cls, law: LinearisedLaw, points: Points) -> "LinearGaussian":
        """The linear Gaussian model of candidates at points."""
        slopes, noise = law.jacobian(points), law.variance(points)
        return cls(slopes, noise, law.covariance, law.gradient)

    def updated(self, covariance: np.ndarray, index: int) -> np.ndarray:
        """Covariance after one more run of a candidate."""
        slope = self.slopes[:, index]
        moved = (covariance @ slope[:, :, None])[..., 0]
        total = self.noise[:, index] + (slope * moved).sum(axis=-1)
        return covariance - moved[:, :, None] * moved[:, None, :] / total[:, None, None]

    def gains(self, covariance: np.ndarray) -> Float[np.ndarray, "draw point"]:
        """Information of each candidate, given a covariance, in nats."""
        across = covariance @ self.gradient.transpose(0, 2, 1)
        solved = across @ np.linalg.inv(self.gradient @ across)
        forms = np.concatenate([covariance, across, solved], axis=-1).transpose(0, 2, 1)
        seen = forms @ self._columns
        size, asked = len(covariance[0]), across.shape[-1]
        moved, cross, solved = np.split(seen, [size, size + asked], axis=1)
        total = self.noise + (moved * self._columns).sum(axis=1)
        share = (cross * solved).sum(axis=1) / total
        return -0.5 * np.log1p(-np.minimum(share, 1.0 - 1e-15))

    def spread(self, covariance: np.ndarray) -> Float[np.ndarray, "draw quantity quantity"]:
        """Covariance of what is asked."""
        return self.gradient @ covariance @ self.gradient.transpose(0, 2, 1)

    @cached_property
    def _columns(self) -> Float[np.ndarray, "draw direction point"]:
        """The slopes with the points last, along which every sum of `gains` runs fastest."""
        return np.ascontiguousarray(self.slopes.transpose(0, 2, 1))


@dataclass(frozen=True, eq=False)
class Batch:
    """Runs that have been chosen, and what is known after them.

    Parameters
    ----------
    chosen
        Candidates in the order in which they were chosen; one may be chosen more than once.
    gains
        Information that each added to the earlier ones, in nats.
    cost
        Of all.
    covariances
        After all of them, one a law.
    """

    chosen: tuple[int, ...]
    gains: tuple[float, ...]
    cost: float
    covariances: tuple[np.ndarray, ...]

    @property
    def gain(self) -> float:
        """Information of the whole batch, in nats."""
        return float(sum(self.gains))


def start_of(
    views: Sequence[LinearGaussian], running: Sequence[int] = ()
) -> tuple[np.ndarray, ...]:
    """Covariances before the batch; runs that are under way count as done."""
    covariances = tuple(view.covariance for view in views)
    for index in running:
        covariances = _after(views, covariances, index)
    return covariances


def mean_gains(views: Sequence[LinearGaussian], covariances: Sequence[np.ndarray]) -> np.ndarray:
    """Information of each candidate, over all draws of all laws, (point,)."""
    parts = [view.gains(covariance) for view, covariance in zip(views, covariances, strict=True)]
    return np.concatenate(parts).mean(axis=0)


def batch_of(
    views: Sequence[LinearGaussian],
    begin: Sequence[np.ndarray],
    costs: np.ndarray,
    chosen: Sequence[int],
) -> Batch:
    """The given runs in the given order."""
    covariances, gains = tuple(begin), []
    for index in chosen:
        gains.append(float(mean_gains(_only(views, index), covariances)[0]))
        covariances = _after(views, covariances, index)
    return Batch(tuple(chosen), tuple(gains), float(sum(costs[i] for i in chosen)), covariances)


def best_batch(
    views: Sequence[LinearGaussian],
    begin: Sequence[np.ndarray],
    costs: Float[np.ndarray, " point"],
    *,
    budget: float,
    max_runs: int,
    repeats: bool = True,
) -> Batch:
    """The batch that tells most within a budget.

    Parameters
    ----------
    views
        One a law.
    begin
        Covariances before it.
    costs
        Of each candidate.
    budget
        At most this in all.
    max_runs
        At most so many runs.
    repeats
        Whether a candidate may be run more than once.
    """
    found = [_greedy(views, begin, costs, budget, max_runs, repeats, power) for power in POWERS]
    best = max(found, key=lambda batch: batch.gain)
    return _exchanged(views, begin, costs, budget, repeats, best)


def _greedy(
    views: Sequence[LinearGaussian],
    begin: Sequence[np.ndarray],
    costs: np.ndarray,
    budget: float,
    max_runs: int,
    repeats: bool,
    power: float,
) -> Batch:
    covariances, left = tuple(begin), budget
    chosen: list[int] = []
    gains: list[float] = []
    while len(chosen) < max_runs:
        allowed = costs <= left
        if not repeats:
            allowed[chosen] = False
        gain = mean_gains(views, covariances)
        allowed &= gain > LEAST
        if not allowed.any():
            break
        score = np.full(len(costs), -np.inf)
        score[allowed] = np.log(gain[allowed]) - power * np.log(costs[allowed])
        index = int(np.argmax(score))
        chosen.append(index)
        gains.append(float(gain[index]))
        covariances = _after(views, covariances, index)
        left -= costs[index]
    return Batch(tuple(chosen), tuple(gains), budget - left, covariances)


def _exchanged(
    views: Sequence[LinearGaussian],
    begin: Sequence[np.ndarray],
    costs: np.ndarray,
    budget: float,
    repeats: bool,
    batch: Batch,
) -> Batch:
    """One sweep: each run is replaced by whichever candidate tells most beside the others."""
    chosen = list(batch.chosen)
    for place in range(len(chosen)):
        others = chosen[:place] + chosen[place + 1 :]
        covariances = start_of(
            [_from(view, start) for view, start in zip(views, begin, strict=True)], others
        )
        allowed = costs <= budget - sum(costs[i] for i in others)
        if not repeats:
            allowed[others] = False
        gain = np.where(allowed, mean_gains(views, covariances), -np.inf)
        best = int(np.argmax(gain))
        if gain[best] > gain[chosen[place]] + LEAST:
            chosen[place] = best
    return batch_of(views, begin, costs, chosen)


def _from(view: LinearGaussian, covariance: np.ndarray) -> LinearGaussian:
    return LinearGaussian(view.slopes, view.noise, covariance, view.gradient)


def _only(views: Sequence[LinearGaussian], index: int) -> list[LinearGaussian]:
    """The models with one candidate only."""
    here: Any = [index]
    return [
        LinearGaussian(view.slopes[:, here], view.noise[:, here], view.covariance, view.gradient)
        for view in views
    ]


def _after(
    views: Sequence[LinearGaussian], covariances: Sequence[np.ndarray], index: int
) -> tuple[np.ndarray, ...]:
    return tuple(
        view.updated(covariance, index) for view, covariance in zip(views, covariances, strict=True)
    )
