"""Posterior mode and curvature: SciPy's BFGS from several starts, Hessian by JAX."""

from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Float
from scipy import linalg, optimize

from bayescale.engines.density import Density, Observations


@dataclass(frozen=True)
class Mode:
    """The best posterior mode found.

    Parameters
    ----------
    position
        Unconstrained coordinates of the mode.
    covariance
        Inverse of the negative Hessian of the log density there.
    log_density
        Log density at the mode.
    agreeing, starts
        How many of how many starts ended within 0.01 of its log density.
    """

    position: Float[np.ndarray, " coordinate"]
    covariance: Float[np.ndarray, "coordinate coordinate"]
    log_density: float
    agreeing: int
    starts: int

    @property
    def factor(self) -> Float[np.ndarray, "coordinate coordinate"]:
        """Lower Cholesky factor of the covariance."""
        return linalg.cholesky(self.covariance, lower=True)


class NoModeFound(ArithmeticError):
    """No start led to a maximum with negative definite curvature."""


def find_mode(
    density: Density, observed: Observations, *, starts: int = 6, rng: np.random.Generator
) -> Mode:
    """Climb to the posterior mode from the centre of the prior and from draws of it.

    Parameters
    ----------
    density
        Log posterior on the real line.
    observed
        Log resources and log loss.
    starts
        How many starts; the first is the median of every prior.
    rng
        Draws the other starts.

    Returns
    -------
    Mode

    Raises
    ------
    NoModeFound
        If no start ended at a proper maximum.
    """
    def negative(position: jax.Array) -> jax.Array:
        return -density.log_density(position, observed)

    value_and_gradient = jax.jit(jax.value_and_grad(negative))

    def objective(position: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = value_and_gradient(position)
        return float(value), np.asarray(gradient)

    ends: list[tuple[float, np.ndarray]] = []
    for start in _starts(density, starts, rng):
        with np.errstate(all="ignore"):
            result = optimize.minimize(objective, start, jac=True, method="BFGS")
        if np.isfinite(result.fun):
            ends.append((float(result.fun), result.x))
    if not ends:
        raise NoModeFound("the log density is not finite at any start")
    best, position = min(ends, key=lambda end: end[0])
    hessian = np.asarray(jax.jit(jax.jacfwd(jax.grad(negative)))(position))
    try:
        factor = linalg.cho_factor((hessian + hessian.T) / 2)
    except linalg.LinAlgError as error:
        raise NoModeFound("the curvature at the best point found is not that of a maximum") from error
    covariance = linalg.cho_solve(factor, np.eye(density.size))
    return Mode(
        position=position,
        covariance=(covariance + covariance.T) / 2,
        log_density=-best,
        agreeing=sum(value < best + 0.01 for value, _ in ends),
        starts=starts,
    )


def _starts(density: Density, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    table, free = density.model.priors.table, density.model.free
    centre = {name: table[name].scipy().median() for name in free}
    draws = {name: table[name].sample(rng, count - 1) for name in free}
    both = {name: np.append(centre[name], draws[name]) for name in free}
    return list(np.asarray(jax.jit(density.unconstrain)(both)))
