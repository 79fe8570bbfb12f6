"""One call of `dmft.loss`: groups of points, each solved the way that is exact for it."""

import math

import jax
import numpy as np
from numpy.typing import ArrayLike

from theory.learning.dmft.contour_choice import integrate
from theory.learning.dmft.dynamics import AbstractDynamics
from theory.learning.dmft.edge import upper_edge_of
from theory.learning.dmft.points import Points, packed
from theory.learning.dmft.solution import DynamicsError, Solution, Statistics, Status
from theory.learning.dmft.static_limit import free_loss, static_loss
from theory.learning.task import AbstractTask

_free_loss = jax.jit(free_loss)


class Call:
    """Points, and what has been found of them; a dynamics says what is to be done.

    Parameters
    ----------
    task
        As the projection's rows see it.
    points
        N, P, t and noise.
    dynamics
        Already checked.
    observable
        A name in `theory.learning.dmft.two_point.KERNELS`.
    accuracy
        Relative.
    inverse_M
        As of `theory.learning.dmft.scale.forward_map`.
    share
        The part of its data that a predictor shares with the other one of a cross term.
    """

    def __init__(
        self,
        task: AbstractTask,
        points: Points,
        dynamics: AbstractDynamics,
        observable: str,
        accuracy: float,
        *,
        inverse_M: float = 0.0,
        share: float = 1.0,
    ) -> None:
        steepness = getattr(task, "b", None)
        self.task = task.resolved(mode=points.mode(steepness), accuracy=accuracy)
        if self.task.eigenvalues.ndim != 1:
            raise DynamicsError(
                "a task with arrays of exponents is many tasks; use jax.vmap over dmft.loss_at."
            )
        self.points, self.dynamics = points, dynamics
        self.observable, self.accuracy = observable, accuracy
        self.inverse_M, self.share = inverse_M, share
        self.value = np.full(len(points.t), np.nan)
        self.code = np.zeros(len(points.t), dtype=int)
        self.nodes, self.residual, self.error = 0, 0.0, 0.0

    @property
    def everything(self) -> np.ndarray:
        """All points."""
        return np.ones(len(self.points.t), dtype=bool)

    def solution(self) -> Solution:
        """Solve the points, and say of each how it came out."""
        self.dynamics.solve(self)
        # A loss is not negative: what is has lost its digits to cancellation.
        wrong = (self.value < 0) | np.isnan(self.value)
        self.code[wrong & (self.code == Status.OK)] = Status.NOT_ACCURATE
        stats = Statistics(
            self.nodes, self.task.eigenvalues.shape[0], float(self.residual), float(self.error)
        )
        shape = self.points.shape
        return Solution(self.value.reshape(shape), self.code.reshape(shape), stats)

    def trajectory(self) -> None:
        """Dynamics with a time: closed forms at its ends and of free modes, contours between."""
        p = self.points
        edge = self.require_stable()
        ended, started = np.isinf(p.t), p.t > 0
        free = np.isinf(p.N) & np.isinf(p.P) & ~ended
        self.static(ended, 0.0)
        self.free(free | ~started)
        self._contours(~ended & started & ~free, edge)

    def require_stable(self) -> np.ndarray:
        """The upper edge of the spectrum at each point.

        Raises
        ------
        DynamicsError
            If the learning rate is beyond the edge of stability.
        """
        limit = self.dynamics.largest_edge
        if math.isinf(limit):
            return np.zeros(len(self.points.t))
        pairs, place = np.unique(
            np.stack([self.points.N, self.points.P]), axis=1, return_inverse=True
        )
        found = upper_edge_of(self.task, pairs[0], pairs[1], self.inverse_M)
        worst = int(np.argmax(found))
        if found[worst] >= limit:
            raise DynamicsError(
                f"the learning rate is beyond the edge of stability at N={pairs[0, worst]:g}, "
                f"P={pairs[1, worst]:g}: the largest eigenvalue is E+={found[worst]:.6g}, and "
                f"{self.dynamics} is stable for E+ below {limit:.6g}; divide the learning rate "
                f"by more than {found[worst] / limit:.4g}."
            )
        return found[place]

    def static(self, chosen: np.ndarray, penalty: ArrayLike) -> None:
        """No time: ridge regression, and the end of training as its limit."""
        if not chosen.any():
            return
        p = self.points.subset(chosen)
        modes = getattr(self.task, "modes", None)
        pole = (p.N == p.P) & np.isfinite(p.N) & (penalty == 0)
        pole &= (p.N <= modes) if modes is not None else True
        if self.inverse_M > 0:
            pole &= p.N < modes  # as many orthogonal rows as modes are no projection
        if pole.any() and self.observable in ("test", "gap"):
            raise DynamicsError(
                f"N = P = {p.N[pole][0]:g} at infinite time: {Status.DIVERGES.sentence}"
            )
        if np.any(np.asarray(penalty) > 0):
            self.value[chosen] = self.closed(p, penalty, self.observable)
            return
        value = self.closed(p, 0.0, self.observable)
        if self.observable in ("train", "same_data_train"):
            # All examples are fitted; with infinitely many the training set is the population.
            rank = np.minimum(p.N, np.inf if modes is None else modes)
            value[p.P <= rank] = 0.0
            whole = np.isinf(p.P)
            kind = {"train": "test", "same_data_train": "same_data"}[self.observable]
            value[whole] = self.closed(p, 0.0, kind)[whole]
        self.value[chosen] = value

    def closed(self, p: Points, penalty: ArrayLike, observable: str) -> np.ndarray:
        """An observable by `static_loss` at some points."""
        rows = p.N.shape[0]
        p = p.padded()
        sizes = 1 / p.N, 1 / p.P, p.noise
        found = static_loss(
            self.task, *sizes, self.share, penalty, observable=observable, inverse_M=self.inverse_M
        )
        return np.array(found)[:rows]

    def free(self, chosen: np.ndarray) -> None:
        """``sum p r_t(lambda)^2 + sigma^2``: N = P = inf, and every model at t = 0."""
        if not chosen.any():
            return
        p = self.points.subset(chosen)
        bias = np.asarray(_free_loss(self.task, p.padded().t, self.dynamics))[: len(p.t)]
        self.value[chosen] = 0.0 if self.observable == "gap" else bias + p.noise

    def _contours(self, chosen: np.ndarray, edges: np.ndarray) -> None:
        if not chosen.any():
            return
        edge = float(edges[chosen].max())
        smooth = self.dynamics.smooth_after(edge)
        for early in (True, False):
            group = chosen & ((self.points.t <= smooth) == early)
            if not group.any():
                continue
            rows = packed(self.points.subset(group))
            value, rounding, code, residual, error, nodes = integrate(
                self.task,
                rows,
                self.dynamics,
                self.share,
                edge,
                early=early,
                accuracy=self.accuracy,
                observable=self.observable,
                inverse_M=self.inverse_M,
            )
            place = rows.row, rows.column
            self.record(group, value[place], code[rows.row], error + rounding[place], nodes)
            self.residual = max(self.residual, float(np.max(residual)))

    def record(
        self, chosen: np.ndarray, value: np.ndarray, code: np.ndarray, error: np.ndarray, nodes: int
    ) -> None:
        """Keep values of some points, with an estimate of the relative error of each."""
        known = code == Status.OK
        self.value[chosen] = value
        self.code[chosen] = np.where(
            known & ~(error <= self.accuracy), int(Status.NOT_ACCURATE), code
        )
        self.nodes = max(self.nodes, nodes)
        if known.any():
            self.error = max(self.error, float(np.max(error[known])))
