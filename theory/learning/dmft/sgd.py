r"""One-pass stochastic gradient descent: a fresh batch of B examples at each step.

Given the projection and Gaussian features the second moments close per eigenmode x of the student
covariance: ``m <- alpha(x) m + (eta^2/B) x L(t)``, ``alpha = 1 - 2 eta x + eta^2 (1 + 1/B) x^2``,
a Volterra equation ``L(t) = F(t) + sigma^2 + (eta^2/B) sum_{u<t} K(t-1-u) L(u)``. Its Z-transform
is explicit, so no step is ever taken: with ``c = 1 + 1/B``,
``z± = [-1 ± sqrt(1 - c (1 - zeta))]/(eta c)`` and ``G = (kappa/z) q(kappa)``,

    Fhat = (G+ - G-)/((z+ - z-) eta^2 c),   Khat = -(z+ df1+ - z- df1-)/((z+ - z-) eta^2 c),
    Lhat = (Fhat + sigma^2/(zeta - 1))/(1 - (eta^2/B) Khat),    L(t) = oint zeta^t Lhat dzeta/2pi i.

The 1/B in alpha is exact and matters for the top modes; the strict limit of the DMFT drops it.
Paquette et al. 2024 write gamma = eta/B. Multi-epoch training on P examples is not covered.
"""

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from theory.learning.dmft.contour import hyperbola, linear
from theory.learning.dmft.dynamics import EARLY, AbstractDynamics, _rate, window_nodes
from theory.learning.dmft.points import few, packed
from theory.learning.dmft.scale import renormalised_scale
from theory.learning.dmft.solution import DynamicsError
from theory.learning.mode_sums import one_point
from theory.learning.task import AbstractTask

CIRCLE = 8 * EARLY
"""Nodes on the upper half circle for the first steps: aliases are below 1e-13."""


@final
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class StochasticGradientDescent(AbstractDynamics):
    """One-pass SGD, ``w += (eta/B) sum over a fresh batch of (y - w . phi) phi``.

    Parameters
    ----------
    learning_rate
        eta > 0.
    batch
        B >= 1 examples a step.
    """

    learning_rate: Any
    batch: Any

    def check(self) -> None:
        """Raise where a setting is out of its range."""
        _rate(self.learning_rate)
        batch = np.asarray(self.batch)
        if batch.ndim or not (np.isfinite(batch) and batch >= 1):
            raise DynamicsError(f"batch must be a number of at least 1; got {self.batch!r}.")

    @property
    def largest_edge(self) -> float:
        """``|alpha| < 1`` below ``2/(eta (1 + 1/B))``."""
        return 2 / (float(self.learning_rate) * (1 + 1 / float(self.batch)))

    def filter(self, x: Array, t: Array) -> Array:
        """``alpha(x)^t``: of squared residuals, and without the noise of the gradient."""
        eta = self.learning_rate
        alpha = 1 - 2 * eta * x + eta**2 * (1 + 1 / self.batch) * x * x
        return jnp.exp(t[..., :, None] * jnp.log(alpha)[..., None, :])

    def solve(self, call: Any) -> None:
        """Solution by the contour of the Z-transform, and at infinite time in closed form.

        Raises
        ------
        DynamicsError
            If P or an observable other than the test loss is asked for, or training diverges.
        """
        p = call.points
        if np.isfinite(p.P).any() or call.observable != "test":
            raise DynamicsError(
                "one-pass SGD sees each example once, so there is no P and only the test loss; "
                f"leave P out (got {p.P.min():g}) and observable as 'test' (got "
                f"'{call.observable}'). Training several times on P examples is not covered."
            )
        call.require_stable()
        gain = self._require_quiet(call)
        ended = np.isinf(p.t)
        if ended.any():
            floor = call.closed(replace(p.subset(ended), noise=0 * p.noise[ended]), 0.0, "test")
            call.value[ended] = (floor + p.noise[ended]) / (1 - gain[ended])
        for early in (True, False):
            group = ~ended & ((p.t <= EARLY) == early)
            if group.any():
                self._integrate(call, group, early)

    def _require_quiet(self, call: Any) -> np.ndarray:
        N, place = np.unique(call.points.N, return_inverse=True)
        padded = np.append(N, np.repeat(N[-1], few(len(N)) - len(N)))
        gain = np.asarray(_gain(call.task, self, 1 / padded, inverse_M=call.inverse_M))[: len(N)]
        if gain.max() >= 1:
            raise DynamicsError(
                f"the noise of the gradient feeds on itself at N={N[gain.argmax()]:g}: (eta^2/B) "
                f"K(1) is {gain.max():.4g} and must stay below 1; take a smaller learning rate or "
                "a larger batch."
            )
        return gain[place]

    def _integrate(self, call: Any, group: np.ndarray, early: bool) -> None:
        """Solution with two contours, whose difference is the error."""
        # Rows of times need ratios, which steps from 0 do not have.
        p = call.points.subset(group)
        rows = packed(replace(p, t=p.t + early))
        nodes = window_nodes(1.0, rows.ratio, call.accuracy)
        coarse, fine = (
            np.asarray(
                _curves(
                    *(call.task, 1 / rows.N, rows.t - early, rows.noise, self),
                    **{"early": early, "nodes": n, "accuracy": cut, "inverse_M": call.inverse_M},
                )
            )[rows.row, rows.column]
            for n, cut in ((nodes, call.accuracy), (nodes + 8, call.accuracy / 100))
        )
        code = np.zeros(len(fine), dtype=int)
        # The finer one is an order of magnitude better, at the least.
        call.record(group, fine, code, np.abs(coarse / fine - 1) / 10, nodes + 8)


def noise_gain(
    task: AbstractTask,
    dynamics: StochasticGradientDescent,
    inverse_N: Array,
    *,
    inverse_M: float = 0.0,
) -> Array:
    """``(eta^2/B) Khat(1)``: below 1 the noise of the gradient does not feed on itself.

    Parameters
    ----------
    inverse_N
        ``1/N``, (*batch,).
    """
    near = jnp.asarray(inverse_N)[..., None] * 0 + (1 + 1e-9 + 1e-9j)
    return _transforms(task, dynamics, near, inverse_N, inverse_M)[1][..., 0].real


def _transforms(
    task: AbstractTask,
    dynamics: StochasticGradientDescent,
    zeta: Array,
    inverse_N: Array,
    inverse_M: float,
) -> tuple[Array, Array]:
    """Fhat and ``(eta^2/B) Khat`` at zeta in the upper half plane, (*batch, at)."""
    eta, batch = dynamics.learning_rate, dynamics.batch
    c = 1 + 1 / batch
    root = jnp.sqrt(1 - c * (1 - zeta))
    z_plus, z_minus = (c * (zeta - 1) / (1 + root)) / (eta * c), (-1 - root) / (eta * c)

    def sums(z: Array) -> tuple[Array, Array]:
        # The resolvent at a conjugate is the conjugate; scales are followed in the upper half.
        below = z.imag < 0
        upper = jnp.where(below, jnp.conj(z), z)
        kappa = renormalised_scale(
            task, upper, inverse_N, jnp.zeros_like(inverse_N), follow=True, inverse_M=inverse_M
        )
        one = one_point(task, kappa)
        G, df = kappa / upper * one.q, upper * one.df1
        return jnp.where(below, jnp.conj(G), G), jnp.where(below, jnp.conj(df), df)

    (G_plus, df_plus), (G_minus, df_minus) = sums(z_plus), sums(z_minus)
    scale = (z_plus - z_minus) * eta**2 * c
    return (G_plus - G_minus) / scale, -(df_plus - df_minus) / scale * (eta**2 / batch)


def sgd_curves(
    task: AbstractTask,
    inverse_N: Array,
    t: Array,
    noise: Array,
    dynamics: StochasticGradientDescent,
    *,
    early: bool,
    nodes: int,
    accuracy: float,
    inverse_M: float = 0.0,
) -> Array:
    """Test losses at steps t, (row, time); pure.

    Parameters
    ----------
    early
        Whether all steps are up to `EARLY`; then a circle is the contour, otherwise a hyperbola in
        ``log zeta`` for steps above it.
    """
    if early:
        theta = (jnp.arange(CIRCLE, dtype=t.dtype) + 0.5) * (math.pi / CIRCLE)
        s = (math.log(1e13) / (2 * CIRCLE) + 1j * theta)[None, :]
        s = jnp.broadcast_to(s, (t.shape[0], CIRCLE))
        weight = jnp.full_like(s, 1 / (2 * CIRCLE))
    else:
        s, weight = hyperbola(jnp.min(t, -1), jnp.max(t, -1), nodes, accuracy=accuracy)
    zeta = jnp.exp(s)
    F, gain = _transforms(task, dynamics, zeta, inverse_N, inverse_M)
    L = (F + noise[..., None] / (zeta - 1)) / (1 - gain)
    v = weight[..., None, :] * jnp.exp((t[..., :, None] + 1) * s[..., None, :])
    return linear(L[..., None, :], v)


_gain = partial(jax.jit, static_argnames="inverse_M")(noise_gain)
_curves = partial(jax.jit, static_argnames=("early", "nodes", "accuracy", "inverse_M"))(sgd_curves)
