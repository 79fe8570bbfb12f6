"""The loss of a randomly projected linear model at any size, number of examples and time."""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from theory.dmft import edge as edges
from theory.dmft.contour import Nodes, ellipse
from theory.dmft.dynamics import (
    MOST_NODES,
    AbstractDynamics,
    GradientFlow,
    Ridge,
    width_of,
    window_nodes,
)
from theory.dmft.evaluate import at_nodes, chunked, contract, setting_of
from theory.dmft.points import Points, packed
from theory.dmft.projection import NODES as ORTHOGONAL_NODES
from theory.dmft.projection import Aligned, Gaussian, Orthogonal, orthogonal_loss
from theory.dmft.scale import renormalised_scale
from theory.dmft.sgd import EARLY, StochasticGradientDescent, noise_gain, sgd_curves
from theory.dmft.solution import DynamicsError, Solution, Statistics, Status
from theory.dmft.two_point import KERNELS
from theory.errors import did_you_mean
from theory.mode_sums import one_point, scale_of_rank, sum_over_nodes, two_point

TRIES = 4
"""Contours of growing fineness, until the estimated error is below the accuracy."""

MEMORY = 2**24
"""Complex numbers of the largest array of a chunk of rows."""

UNSEEN = 1e-140
"""Of lambda_1: a scale that stands for kappa = 0, the limit of all modes learnt."""


def loss(
    task: Any,
    N: Any = math.inf,
    P: Any = math.inf,
    t: Any = math.inf,
    *,
    noise: Any = 0.0,
    dynamics: AbstractDynamics | None = None,
    observable: str = "test",
    projection: Gaussian | Aligned | Orthogonal | None = None,
    accuracy: float = 1e-6,
) -> Solution:
    r"""``L = E (y - f)^2``, with sigma^2 and without a half, of ``f = w . A psi/sqrt(N)``.

    The average over projections A and data, where N and P are large at fixed ratio to the modes
    they resolve; the mean over draws at finite size is larger by about ``1/min(N, P)``, and one
    draw scatters by ``1/sqrt(min(N, P))``.

    Parameters
    ----------
    task
        `theory.spectrum.PowerLaw` or `theory.spectrum.Measured`.
    N, P, t
        Features, examples, and time or steps; they broadcast, and each may be ``inf``, which is
        exact.
    noise
        sigma^2, the variance of the labels' noise.
    dynamics
        `GradientFlow` (the default), `GradientDescent`, `HeavyBall`, `Schedule`, `Ridge`
        (without time) or `StochasticGradientDescent` (one pass: without P).
    observable
        ``"test"``, ``"train"``, ``"gap"`` (test minus train), or the correlation of errors of two
        predictors, ``"same_data"``, ``"same_projection"``, ``"nothing_shared"``.
    projection
        `Gaussian` rows (the default), rows `Aligned` with the top modes, or `Orthogonal` rows
        (gradient flow with infinite P only).
    accuracy
        Relative, from 1e-10 to 1e-2.

    Raises
    ------
    DynamicsError
        If an input is out of its domain, a learning rate beyond the edge of stability, or the loss
        infinite.

    Examples
    --------
    >>> from theory.spectrum import PowerLaw
    >>> solution = loss(PowerLaw(a=1.5, b=1.25), N=[100, 1000], P=1000, t=1e3, noise=0.1)
    >>> solution.value.round(4).tolist(), solution.status
    ([0.5062, 0.3851], 'ok')
    """
    dynamics = GradientFlow() if dynamics is None else dynamics
    dynamics.check()
    if observable not in KERNELS:
        raise DynamicsError(f"no observable '{observable}'." + did_you_mean(observable, KERNELS))
    if not 1e-10 <= accuracy <= 1e-2:
        raise DynamicsError(f"accuracy must be from 1e-10 to 1e-2, relative; got {accuracy}.")
    points = Points.of(N, P, t, noise, discrete=dynamics.discrete)
    if isinstance(projection, Orthogonal):
        if np.isfinite(points.P).any() or not isinstance(dynamics, GradientFlow):
            raise DynamicsError(
                "with orthogonal rows only gradient flow on infinitely many examples is solved; "
                f"leave P and dynamics out (got P={points.P.min():g}, {dynamics})."
            )
        value = orthogonal_loss(task, N, t, noise) if observable != "gap" else 0.0
        value = np.broadcast_to(value, points.shape).copy()
        found = Statistics(ORTHOGONAL_NODES, task.eigenvalues.shape[0], 0.0, 0.0)
        return Solution(value, np.zeros(points.shape, dtype=int), found)
    if isinstance(projection, Aligned):
        task = projection.spectrum(task)
    with jax.enable_x64(True):
        return _Call(task, points, dynamics, observable, accuracy).solution()


class _Call:
    """One call of `loss`: groups of points, each solved its own way."""

    def __init__(
        self,
        task: Any,
        points: Points,
        dynamics: AbstractDynamics,
        observable: str,
        accuracy: float,
    ) -> None:
        steepness = getattr(task, "b", None)
        self.task = task.resolved(mode=points.mode(steepness), accuracy=accuracy)
        if self.task.eigenvalues.ndim != 1:
            raise DynamicsError(
                "a task with arrays of exponents is many tasks; use jax.vmap over dmft.loss_at."
            )
        self.points, self.dynamics = points, dynamics
        self.observable, self.accuracy = observable, accuracy
        self.value = np.full(len(points.t), np.nan)
        self.code = np.zeros(len(points.t), dtype=int)
        self.nodes, self.residual, self.error = 0, 0.0, 0.0

    def solution(self) -> Solution:
        p = self.points
        if isinstance(self.dynamics, Ridge):
            self._static(np.ones(len(p.t), dtype=bool), self.dynamics.penalty)
        elif isinstance(self.dynamics, StochasticGradientDescent):
            self._one_pass(self.dynamics)
        else:
            self._stable(self.dynamics)
            ended, started = np.isinf(p.t), p.t > 0
            free = np.isinf(p.N) & np.isinf(p.P) & ~ended
            self._static(ended, 0.0)
            self._free(free | ~started)
            rest = ~ended & started & ~free
            if rest.any():
                self._contours(rest)
        negative = (self.value < 0) & (self.code == Status.OK)
        tiny = self.accuracy * float(np.sum(np.asarray(self.task.counts * self.task.powers)))
        self.code[(negative & (self.value < -tiny)) | np.isnan(self.value)] = Status.NOT_ACCURATE
        self.value[negative] = np.maximum(self.value[negative], 0.0)
        stats = Statistics(
            self.nodes, self.task.eigenvalues.shape[0], float(self.residual), float(self.error)
        )
        return Solution(self.value.reshape(p.shape), self.code.reshape(p.shape), stats)

    def _stable(self, dynamics: AbstractDynamics) -> None:
        self.edge = np.zeros(len(self.points.t))
        if math.isinf(dynamics.largest_edge):
            return
        pairs, place = np.unique(
            np.stack([self.points.N, self.points.P]), axis=1, return_inverse=True
        )
        found = np.asarray(_upper_edge(self.task, 1 / pairs[0], 1 / pairs[1]))
        self.edge = found[place]
        worst = int(np.argmax(found))
        if found[worst] >= dynamics.largest_edge:
            raise DynamicsError(
                f"the learning rate is beyond the edge of stability at N={pairs[0, worst]:g}, "
                f"P={pairs[1, worst]:g}: the largest eigenvalue is E+={found[worst]:.6g}, and "
                f"{dynamics} is stable for E+ below {dynamics.largest_edge:.6g}; divide the "
                f"learning rate by more than {found[worst] / dynamics.largest_edge:.4g}."
            )

    def _static(self, chosen: Any, penalty: Any) -> None:
        """No time: ridge regression, and the end of training as its limit."""
        if not chosen.any():
            return
        p = self.points.subset(chosen)
        modes = getattr(self.task, "modes", None)
        pole = (p.N == p.P) & np.isfinite(p.N) & (penalty == 0)
        pole &= (p.N <= modes) if modes is not None else True
        if pole.any() and self.observable in ("test", "gap"):
            raise DynamicsError(
                f"N = P = {p.N[pole][0]:g} at infinite time: {Status.DIVERGES.sentence}"
            )
        value = np.array(
            _static_loss(self.task, 1 / p.N, 1 / p.P, p.noise, penalty, observable=self.observable)
        )
        if self.observable == "train" and np.all(np.asarray(penalty) == 0):
            value[p.P <= np.minimum(p.N, np.inf if modes is None else modes)] = 0.0  # interpolated
            value[np.isinf(p.P)] = np.array(
                _static_loss(self.task, 1 / p.N, 1 / p.P, p.noise, penalty, observable="test")
            )[np.isinf(p.P)]
        self.value[chosen] = value

    def _free(self, chosen: Any) -> None:
        """``sum p r_t(lambda)^2 + sigma^2``: N = P = inf, and every model at t = 0."""
        if not chosen.any():
            return
        p = self.points.subset(chosen)
        bias = np.asarray(_free_loss(self.task, p.t, self.dynamics))
        self.value[chosen] = 0.0 if self.observable == "gap" else bias + p.noise

    def _contours(self, chosen: Any) -> None:
        edge = float(self.edge[chosen].max())
        smooth = self.dynamics.smooth_after(edge)
        for early in (True, False):
            group = chosen & ((self.points.t <= smooth) == early)
            if group.any():
                self._group(group, early, edge)

    def _group(self, chosen: Any, early: bool, edge: float) -> None:
        rows = packed(self.points.subset(chosen))
        width, accuracy = 0.0, self.accuracy
        if early:
            width, nodes = width_of(self.dynamics, edge, int(rows.t.max()))
            nodes = _rounded(nodes)
        else:
            nodes = window_nodes(1.0, rows.ratio, accuracy)
        for attempt in range(TRIES):
            if nodes > MOST_NODES:
                raise DynamicsError(
                    f"{self.dynamics} needs {nodes} contour nodes for {int(rows.t.max())} steps, "
                    f"above {MOST_NODES}; use a smaller momentum, or GradientFlow."
                )
            size = nodes * max(self.task.eigenvalues.shape[0], 8 * nodes)
            value, code, residual, error = _compiled(
                self.task,
                1 / rows.N,
                1 / rows.P,
                rows.t,
                rows.noise,
                np.full(len(rows.N), edge),
                width,
                self.dynamics,
                early=early,
                nodes=nodes,
                accuracy=accuracy,
                observable=self.observable,
                chunk=max(1, MEMORY // size),
            )
            error = float(error)
            if error <= self.accuracy or attempt == TRIES - 1:
                break
            nodes, accuracy = 4 * math.ceil(1.3 * nodes / 4), accuracy / 10
        code = np.where(
            (np.asarray(code) == Status.OK) & (error > self.accuracy),
            Status.NOT_ACCURATE,
            np.asarray(code),
        )
        self.value[chosen] = np.asarray(value)[rows.row, rows.column]
        self.code[chosen] = code[rows.row]
        self.nodes = max(self.nodes, nodes)
        self.residual = max(self.residual, float(np.max(residual)))
        self.error = max(self.error, error)

    def _one_pass(self, dynamics: StochasticGradientDescent) -> None:
        p = self.points
        if np.isfinite(p.P).any() or self.observable != "test":
            raise DynamicsError(
                "one-pass SGD sees each example once, so there is no P and only the test loss; "
                f"leave P out (got {p.P.min():g}) and observable as 'test' (got "
                f"'{self.observable}'). Training several times on P examples is not covered."
            )
        self._stable(dynamics)
        gain = np.asarray(_noise_gain(self.task, dynamics, 1 / p.N))
        if gain.max() >= 1:
            raise DynamicsError(
                f"the noise of the gradient feeds on itself at N={p.N[gain.argmax()]:g}: (eta^2/B) "
                f"K(1) is {gain.max():.4g} and must stay below 1; take a smaller learning rate or "
                "a larger batch."
            )
        ended = np.isinf(p.t)
        if ended.any():
            q = p.subset(ended)
            floor = _static_loss(self.task, 1 / q.N, 0 * q.N, 0 * q.N, 0.0, observable="test")
            self.value[ended] = (np.asarray(floor) + q.noise) / (1 - gain[ended])
        for early in (True, False):
            group = ~ended & ((p.t <= EARLY) == early)
            if not group.any():
                continue
            q = p.subset(group)
            rows = packed(Points(q.N, q.P, q.t + early, q.noise, q.shape))
            t = rows.t - early
            found = []
            nodes = window_nodes(1.0, rows.ratio, self.accuracy)
            for n, accuracy in ((nodes, self.accuracy), (nodes + 8, self.accuracy / 100)):
                found.append(
                    np.asarray(
                        _sgd(self.task, 1 / rows.N, t, rows.noise, dynamics,
                             early=early, nodes=n, accuracy=accuracy)
                    )
                )  # fmt: skip
            self.value[group] = found[1][rows.row, rows.column]
            error = np.abs(found[0] / found[1] - 1).max()
            self.error, self.nodes = max(self.error, float(error)), max(self.nodes, nodes + 8)
            if error > 10 * self.accuracy:
                self.code[group] = Status.NOT_ACCURATE


def _rounded(nodes: int) -> int:
    """Up to the next of 24, 32, 48, 64, 96, ...: few programs."""
    power = 2 ** math.floor(math.log2(nodes))
    return next(n for n in (power, power * 3 // 2, 2 * power) if n >= nodes)


def _solve(
    task: Any,
    inverse_N: Any,
    inverse_P: Any,
    t: Any,
    noise: Any,
    edge: Any,
    width: Any,
    dynamics: AbstractDynamics,
    *,
    early: bool,
    nodes: int,
    accuracy: float,
    observable: str,
    chunk: int,
) -> tuple[Any, Any, Any, Any]:
    follow = dynamics.discrete

    def rows(
        task: Any, inverse_N: Any, inverse_P: Any, t: Any, noise: Any, edge: Any
    ) -> tuple[Any, Any, Any]:
        z, v = contour_of(dynamics, t, edge, width, early=early, nodes=nodes, accuracy=accuracy)
        one, code, residual = at_nodes(task, Nodes(z, z), inverse_N, inverse_P, follow=follow)
        setting = setting_of(inverse_N, inverse_P, noise, inverse_P)
        return contract(one, v, v, observable, setting), code, residual

    found = chunked(rows, task, (inverse_N, inverse_P, t, noise, edge), chunk)
    widest = jnp.argmax(jnp.max(t, -1) / jnp.min(t, -1))
    error = _known_error(task, t[widest][None], edge[widest][None], width, dynamics,
                         early=early, nodes=nodes, accuracy=accuracy)  # fmt: skip
    return *found, error


def contour_of(
    dynamics: AbstractDynamics,
    t: Any,
    edge: Any,
    width: Any,
    *,
    early: bool,
    nodes: int,
    accuracy: float,
) -> tuple[Any, Any]:
    """Nodes z (row, at) and the filter's values there ``v`` (row, time, at), for `contract`."""
    if early:
        z, weight = ellipse(edge, width, nodes)
        return z, (weight / z)[..., None, :] * dynamics.filter(-z, t)
    path = dynamics.path(jnp.min(t, -1), jnp.max(t, -1), nodes, accuracy)
    growth = jnp.exp(path.rate[..., None, :] * t[..., :, None])
    return path.z, (path.amplitude / path.z)[..., None, :] * growth


def _known_error(
    task: Any, t: Any, edge: Any, width: Any, dynamics: AbstractDynamics, **options: Any
) -> Any:
    """Relative error of the same contour at N = P = inf, where kappa = z and L is a sum."""
    z, v = contour_of(dynamics, t, edge, width, **options)
    zero = jnp.zeros(1, t.dtype)
    found = contract(one_point(task, z), v, v, "nothing_shared", setting_of(zero, zero, zero))
    known = _free(task, t[0], dynamics)
    return jnp.max(jnp.abs(found[0] / known - 1))


def _free(task: Any, t: Any, dynamics: AbstractDynamics) -> Any:
    """``sum p r_t(lambda)^2`` for t of shape (time,)."""
    r = dynamics.filter(task.eigenvalues.astype(complex), t).real
    return sum_over_nodes(task.counts * task.powers, r * r)


def _static_loss(
    task: Any, inverse_N: Any, inverse_P: Any, noise: Any, penalty: Any, *, observable: str
) -> Any:
    """The kernel at kappa = kappa' = kappa(penalty); (point,)."""
    inverse_N, inverse_P = jnp.asarray(inverse_N), jnp.asarray(inverse_P)
    penalty = jnp.broadcast_to(jnp.asarray(penalty, inverse_N.dtype), inverse_N.shape)
    high = jnp.maximum(inverse_N, inverse_P)
    rank = jnp.where(high > 0, 1 / jnp.where(high > 0, high, 1.0), jnp.inf)
    some = jnp.where(penalty > 0, penalty, 1.0)[..., None]
    kappa = renormalised_scale(task, some, inverse_N, inverse_P)[..., 0]
    kappa = jnp.where(penalty > 0, kappa, scale_of_rank(task, rank))
    kappa = jnp.maximum(kappa, UNSEEN * jnp.max(task.eigenvalues))[..., None]
    one = one_point(task, kappa)
    two = type(pair := two_point(task, kappa, kappa))(*(x[..., None] for x in pair))
    setting = setting_of(inverse_N, inverse_P, noise, inverse_P)
    return KERNELS[observable](one, one, two, setting)[..., 0, 0]


_compiled = jax.jit(_solve, static_argnames=("early", "nodes", "accuracy", "observable", "chunk"))
_free_loss = jax.jit(_free)
_static_loss = jax.jit(_static_loss, static_argnames="observable")
_upper_edge = jax.jit(edges.upper_edge)
_lower_edge = jax.jit(edges.lower_edge)
_noise_gain = jax.jit(noise_gain)
_sgd = partial(jax.jit, static_argnames=("early", "nodes", "accuracy"))(sgd_curves)


def stability_edge(task: Any, N: Any, P: Any) -> tuple[Any, Any]:
    """``(E-, E+)``, the smallest and largest positive eigenvalue of the kernel.

    Gradient descent is stable below a learning rate of ``2/E+``, heavy ball below
    ``2 (1 + momentum)/E+``; gradient flow is over its slowest mode after ``1/E-``.

    Parameters
    ----------
    task
        A spectrum.
    N, P
        Sizes, which broadcast; ``inf`` allowed.

    Examples
    --------
    >>> from theory.spectrum import PowerLaw
    >>> low, high = stability_edge(PowerLaw(a=1.5, b=1.25, modes=800), N=64, P=128)
    >>> round(float(low), 6), round(float(high), 4)
    (0.001314, 1.4176)
    """
    points = Points.of(N, P, 0.0, 0.0, discrete=False)
    with jax.enable_x64(True):
        mode = np.minimum(points.N, points.P)
        finite = mode[np.isfinite(mode)]
        task = task.resolved(mode=float(finite.max()) if len(finite) else 1e3, accuracy=1e-8)
        ends = (f(task, 1 / points.N, 1 / points.P) for f in (_lower_edge, _upper_edge))
        low, high = (np.asarray(x).reshape(points.shape) for x in ends)
    return low, high
