r"""How the weights are trained: each dynamics is a residual filter r_t(x) of the kernel's spectrum.

After time or steps t the part of the target along an eigenvalue x of the kernel that is still to
be learnt is r_t(x), r_t(0) = 1. As a contour integral ``r_t(x) = oint phi_t(z)/(z + x)``:

    gradient flow            r = exp(-x t)
    gradient descent         r = (1 - eta x)^t
    heavy ball               r_{t+1} = (1 + beta - eta x) r_t - beta r_{t-1}, r_1 = 1 - eta x
    time-varying step sizes  r = prod_s (1 - eta_s x)
    ridge regression         r = delta/(x + delta), the end of training with weight decay
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from theory.learning.dmft.contour import hyperbola, nodes_for
from theory.learning.dmft.solution import DynamicsError

EARLY = 32
"""Steps up to which discrete dynamics are integrated on an ellipse around the spectrum."""

NEGLIGIBLE = 37.0
"""``-log`` of what is below the rounding of a double."""

GROWTH = 5.0
"""Log of how much a filter may grow on the ellipse."""

MOST_NODES = 4096
"""Most nodes of a contour's upper half; the work is their square."""


class Path(NamedTuple):
    """Nodes z, and the filter there as ``amplitude * exp(rate * t)``; (*batch, at)."""

    z: Array
    amplitude: Array
    rate: Array


class AbstractDynamics(ABC):
    """What the solver asks of a way to train."""

    discrete: bool = True
    """Whether time counts steps."""

    @abstractmethod
    def check(self) -> None:
        """Raise `DynamicsError` where a setting is out of its range."""

    @property
    @abstractmethod
    def largest_edge(self) -> float:
        """The edge E+ of the spectrum from which training is unstable."""

    @abstractmethod
    def filter(self, x: Array, t: Array) -> Array:
        """``r_t(x)`` for complex x of shape (*batch, at) and t of shape (*batch, time)."""

    def solve(self, call: Any) -> None:
        """Solve the points of a `theory.learning.dmft.calls.Call`: as a trajectory in time."""
        call.trajectory()

    def smooth_after(self, edge: float) -> float:
        """The time from which one hyperbola, away from most of the spectrum, is enough."""
        del edge
        return math.inf

    def path(self, first: Array, last: Array, nodes: int, accuracy: float) -> Path:
        """The hyperbola for a window of such times."""
        raise NotImplementedError


@final
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class GradientFlow(AbstractDynamics):
    """``dw/dt = (1/P) Phi^T (y - Phi w)``: small steps, ``t = learning rate * steps``.

    The gradient is of half the mean squared error; where code differentiates the mean squared
    error itself, t is twice the learning rate times the steps.
    """

    discrete = False

    def check(self) -> None:
        """Nothing can be wrong."""

    @property
    def largest_edge(self) -> float:
        """Largest edge of a spectrum that is stable: there is none that is not."""
        return math.inf

    def filter(self, x: Array, t: Array) -> Array:
        """``exp(-x t)``."""
        return jnp.exp(-x[..., None, :] * t[..., :, None])

    def smooth_after(self, edge: float) -> float:
        """Always."""
        del edge
        return 0.0

    def path(self, first: Array, last: Array, nodes: int, accuracy: float) -> Path:
        """``exp(z t)`` on the hyperbola in z."""
        z, weight = hyperbola(first, last, nodes, accuracy=accuracy)
        return Path(z, weight, z)


@final
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class HeavyBall(AbstractDynamics):
    """``w_{t+1} = w_t + (eta/P) Phi^T (y - Phi w_t) + beta (w_t - w_{t-1})``.

    With ``z = (zeta + beta/zeta - 1 - beta)/eta`` the filter's generating function
    ``sum_t r_t zeta^-t`` is ``(zeta - beta)/(eta (z + x))``.

    Parameters
    ----------
    learning_rate
        eta > 0; stable below ``2 (1 + beta)/E+``.
    momentum
        beta, from 0 to below 1.
    """

    learning_rate: Any
    momentum: Any

    def check(self) -> None:
        """Raise where a setting is out of its range."""
        _rate(self.learning_rate)
        beta = np.asarray(self.momentum)
        if beta.ndim or not 0 <= beta < 1:
            raise DynamicsError(
                f"momentum must be a number from 0 to below 1; got {self.momentum!r}."
            )

    @property
    def largest_edge(self) -> float:
        """``2 (1 + beta)/eta``."""
        return 2 * (1 + float(self.momentum)) / float(self.learning_rate)

    def filter(self, x: Array, t: Array) -> Array:
        """From the two roots of ``zeta^2 - (1 + beta - eta x) zeta + beta``."""
        beta = jnp.asarray(self.momentum)
        trace = 1 + beta - self.learning_rate * x
        root = jnp.sqrt(trace * trace - 4 * beta)
        # The larger root first: the smaller follows from the product without cancellation.
        root = jnp.where((trace * jnp.conj(root)).real < 0, -root, root)
        large = (trace + root) / 2
        small = beta / large
        steps, large, small = t[..., :, None], large[..., None, :], small[..., None, :]
        first = (large - beta) * jnp.exp(steps * jnp.log(large))
        safe = jnp.where(small == 0, 1.0, small)
        second = (small - beta) * jnp.where(
            small == 0, jnp.where(steps == 0, 1.0, 0.0), jnp.exp(steps * jnp.log(safe))
        )
        return (first - second) / (large - small)

    def smooth_after(self, edge: float) -> float:
        """When oscillating modes, and those on the left edge, are below rounding."""
        eta, beta = float(self.learning_rate), float(self.momentum)
        decays = [math.sqrt(beta)]
        trace = 1 + beta - eta * edge
        if trace**2 > 4 * beta and trace < 0:
            decays.append((math.sqrt(trace**2 - 4 * beta) - trace) / 2)
        slowest = max(decays)
        if slowest >= 1:
            return math.inf
        return max(float(EARLY), NEGLIGIBLE / -math.log(slowest) if slowest > 0 else 0.0)

    def path(self, first: Array, last: Array, nodes: int, accuracy: float) -> Path:
        """``zeta^t`` on the hyperbola in ``s = log zeta``."""
        s, weight = hyperbola(first, last, nodes, accuracy=accuracy)
        zeta = jnp.exp(s)
        # expm1 keeps z exact where zeta is near 1.
        z = (_expm1(s) + self.momentum * _expm1(-s)) / self.learning_rate
        return Path(z, weight * (zeta - self.momentum) / self.learning_rate, s)


@final
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class GradientDescent(AbstractDynamics):
    """``w_{t+1} = w_t + (eta/P) Phi^T (y - Phi w_t)``: the filter is ``(1 - eta x)^t``.

    Parameters
    ----------
    learning_rate
        eta > 0; stable below ``2/E+``.
    """

    learning_rate: Any

    def check(self) -> None:
        """Raise where the learning rate is out of its range."""
        _rate(self.learning_rate)

    @property
    def largest_edge(self) -> float:
        """``2/eta``."""
        return 2 / float(self.learning_rate)

    def filter(self, x: Array, t: Array) -> Array:
        """``(1 - eta x)^t``."""
        return jnp.exp(t[..., :, None] * jnp.log(1 - self.learning_rate * x)[..., None, :])

    def smooth_after(self, edge: float) -> float:
        """When the filter is smooth: heavy ball without momentum."""
        return HeavyBall(self.learning_rate, 0.0).smooth_after(edge)

    def path(self, first: Array, last: Array, nodes: int, accuracy: float) -> Path:
        """The contour of heavy ball without momentum."""
        return HeavyBall(self.learning_rate, 0.0).path(first, last, nodes, accuracy)


@final
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Schedule(AbstractDynamics):
    """Gradient descent with a learning rate for each step: ``r_t = prod_{s<t} (1 - eta_s x)``.

    Parameters
    ----------
    learning_rates
        eta_s, one a step, all at least 0; stable for sure below ``2/E+``.
    """

    learning_rates: Any

    def check(self) -> None:
        """Raise where a learning rate is out of its range."""
        rates = np.asarray(self.learning_rates)
        if rates.ndim != 1 or not len(rates) or not np.all(np.isfinite(rates) & (rates >= 0)):
            raise DynamicsError(
                "learning_rates must be a list of finite numbers of at least 0, one a step; got "
                f"{self.learning_rates!r}."
            )
        if not rates.any():
            raise DynamicsError("every learning rate is 0; at least one step must be taken.")

    @property
    def largest_edge(self) -> float:
        """``2/max eta``."""
        return 2 / float(np.max(np.asarray(self.learning_rates)))

    def filter(self, x: Array, t: Array) -> Array:
        """The product, from running sums of logs."""
        rates = jnp.asarray(self.learning_rates)

        def step(total: Array, rate: Array) -> tuple[Array, Array]:
            total = total + jnp.log(1 - rate * x)
            return total, total

        start = jnp.zeros_like(x)
        _, logs = jax.lax.scan(step, start, rates)
        logs = jnp.moveaxis(jnp.concatenate([start[None], logs]), 0, -2)
        index = jnp.broadcast_to(t.astype(int)[..., None], (*t.shape, x.shape[-1]))
        return jnp.exp(jnp.take_along_axis(logs, index, axis=-2))


@final
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Ridge(AbstractDynamics):
    """``argmin (1/P) |y - Phi w|^2 + delta |w|^2``; there is no time.

    Parameters
    ----------
    penalty
        delta >= 0; 0 is the interpolator of least norm, the end of gradient flow.
    """

    penalty: Any

    def check(self) -> None:
        """Raise where the penalty is out of its range."""
        delta = np.asarray(self.penalty)
        if not np.all(np.isfinite(delta) & (delta >= 0)):
            raise DynamicsError(f"penalty must be finite and at least 0; got {self.penalty!r}.")

    @property
    def largest_edge(self) -> float:
        """Largest edge of a spectrum that is stable: there is none that is not."""
        return math.inf

    def solve(self, call: Any) -> None:
        """In closed form, whatever the time."""
        call.static(call.everything, self.penalty)

    def filter(self, x: Array, t: Array) -> Array:
        """``delta/(x + delta)``, whatever the time."""
        return jnp.broadcast_to(
            (self.penalty / (x + self.penalty))[..., None, :], (*t.shape, x.shape[-1])
        )


def width_of(dynamics: AbstractDynamics, edge: float, last: int) -> tuple[float, int]:
    """Elliptic radius on which filters up to step `last` stay moderate, and how many nodes.

    The filter grows outside the spectrum, by ``exp(sum eta E+ width^2/4)`` near 0; the midpoint
    rule converges as ``exp(-2 nodes width)``.
    """
    times = np.linspace(1, max(last, 1), 5).round()

    def growth(width: float) -> float:
        return float(_growth(dynamics, edge, width, times))

    low, high = math.log(1e-5), math.log(1.2)
    if growth(math.exp(high)) <= GROWTH:
        low = high
    for _ in range(18 if low < high else 0):
        middle = (low + high) / 2
        low, high = (middle, high) if growth(math.exp(middle)) <= GROWTH else (low, middle)
    width = math.exp(low)
    return width, max(24, math.ceil(22 / width))


@jax.jit
def _growth(dynamics: AbstractDynamics, edge: Array, width: Array, times: Array) -> Array:
    """Log of the largest filter on the ellipse, at any of the times."""
    theta = jnp.linspace(0.0, jnp.pi, 129)
    x = edge / 2 * (1 - jnp.cosh(width + 1j * theta))
    return jnp.log(jnp.max(jnp.abs(dynamics.filter(x, times))))


def window_nodes(first: float, last: float, accuracy: float) -> int:
    """Nodes of a window's hyperbola, rounded up so that few programs are compiled."""
    return 4 * math.ceil(nodes_for(first, last, accuracy) / 4)


def _expm1(s: Array) -> Array:
    """``exp(s) - 1`` of complex s without cancellation."""
    half = jnp.sin(s.imag / 2)
    real = jnp.expm1(s.real) * jnp.cos(s.imag) - 2 * half * half
    return real + 1j * jnp.exp(s.real) * jnp.sin(s.imag)


def _rate(rate: ArrayLike) -> None:
    value = np.asarray(rate)
    if value.ndim or not (np.isfinite(value) and value > 0):
        raise DynamicsError(f"learning_rate must be a finite number above 0; got {rate!r}.")
