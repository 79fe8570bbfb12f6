"""The loss of a randomly projected linear model at any size, number of examples and time."""

import math

import jax
from numpy.typing import ArrayLike

from theory.errors import did_you_mean
from theory.learning.dmft.calls import Call
from theory.learning.dmft.dynamics import AbstractDynamics, GradientFlow
from theory.learning.dmft.points import Points
from theory.learning.dmft.projection import AbstractProjection, Gaussian
from theory.learning.dmft.solution import DynamicsError, Solution
from theory.learning.dmft.two_point import KERNELS
from theory.learning.task import AbstractTask


def loss(
    task: AbstractTask,
    N: ArrayLike = math.inf,
    P: ArrayLike = math.inf,
    t: ArrayLike = math.inf,
    *,
    noise: ArrayLike = 0.0,
    dynamics: AbstractDynamics | None = None,
    observable: str = "test",
    projection: AbstractProjection | None = None,
    accuracy: float = 1e-6,
) -> Solution:
    r"""``L = E (y - f)^2``, with sigma^2 and without a half, of ``f = w . A psi/sqrt(N)``.

    The average over projections A and data, where N and P are large at fixed ratio to the modes
    they resolve; the mean over draws at finite size is larger by about ``1/min(N, P)``, and one
    draw scatters by ``1/sqrt(min(N, P))``.

    Parameters
    ----------
    task
        `theory.learning.spectrum.PowerLaw` or `theory.learning.spectrum.Measured`.
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
        predictors, ``"same_data"``, ``"same_projection"``, ``"nothing_shared"``, and over common
        training examples ``"same_data_train"``.
    projection
        `Gaussian` rows (the default), rows `Aligned` with the top modes, or `Orthogonal` rows.
    accuracy
        Relative, from 1e-10 to 1e-2.

    Raises
    ------
    DynamicsError
        If an input is out of its domain, a learning rate beyond the edge of stability, or the loss
        infinite.

    Examples
    --------
    >>> from theory.learning.spectrum import PowerLaw
    >>> solution = loss(PowerLaw(a=1.5, b=1.25), N=[100, 1000], P=1000, t=1e3, noise=0.1)
    >>> solution.value.round(4).tolist(), solution.status
    ([0.6993, 0.401], 'ok')
    """
    return solve(task, N, P, t, noise, dynamics, observable, projection, accuracy)


def solve(
    task: AbstractTask,
    N: ArrayLike,
    P: ArrayLike,
    t: ArrayLike,
    noise: ArrayLike,
    dynamics: AbstractDynamics | None,
    observable: str,
    projection: AbstractProjection | None,
    accuracy: float,
    share: float = 1.0,
) -> Solution:
    """`loss`, with the share of its examples that a predictor has in common with another."""
    dynamics = GradientFlow() if dynamics is None else dynamics
    projection = Gaussian() if projection is None else projection
    dynamics.check()
    if observable not in KERNELS:
        raise DynamicsError(f"no observable '{observable}'." + did_you_mean(observable, KERNELS))
    if not 1e-10 <= accuracy <= 1e-2:
        raise DynamicsError(f"accuracy must be from 1e-10 to 1e-2, relative; got {accuracy}.")
    points = Points.of(N, P, t, noise, discrete=dynamics.discrete)
    projection.check(task, points.N)
    with jax.enable_x64(True):
        return Call(
            projection.spectrum(task),
            points,
            dynamics,
            observable,
            accuracy,
            inverse_M=projection.inverse_M(task),
            share=share,
        ).solution()
