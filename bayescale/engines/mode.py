"""Posterior mode and curvature: SciPy's BFGS from several starts, on JAX's gradient.

The Hessian is the central difference of JAX's exact gradient. Compiling the exact Hessian costs
2.5 CPU seconds a process, more than everything else here; the difference is good to six digits
(a test holds it against `jax.hessian`), and nothing that is reported depends on the rest.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float
from scipy import linalg, optimize

from bayescale.models.density import Density, Numbers
from bayescale.models.observations import Observations

STARTS = 6
"""Number of searches; the first begins at the median of every prior."""


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
    density: Density, observed: Observations, *, starts: int = STARTS, rng: np.random.Generator
) -> Mode:
    """Climb to the posterior mode from the centre of the prior and from draws of it.

    Parameters
    ----------
    density
        Log posterior on the real line.
    observed
        Log resources and log loss.
    starts
        How many searches.
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
    value_and_gradient = negative_log_density(density)

    def objective(position: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = value_and_gradient(position, observed)
        return float(value), np.asarray(gradient)

    ends: list[optimize.OptimizeResult] = []
    for start in starts_of(density, starts, rng):
        with np.errstate(all="ignore"):
            end = optimize.minimize(objective, start, jac=True, method="BFGS")
        if np.isfinite(end.fun):
            ends.append(end)
    if not ends:
        raise NoModeFound("the log density is not finite at any start")
    best = min(ends, key=lambda end: end.fun)
    hessian = _hessian(lambda at: objective(at)[1], best.x, np.sqrt(np.diag(best.hess_inv)))
    try:
        factor = linalg.cho_factor(hessian)
    except (linalg.LinAlgError, ValueError) as error:
        raise NoModeFound("the curvature at the best point is not that of a maximum") from error
    covariance = linalg.cho_solve(factor, np.eye(density.size))
    return Mode(
        position=best.x,
        covariance=(covariance + covariance.T) / 2,
        log_density=-float(best.fun),
        agreeing=sum(end.fun < best.fun + 0.01 for end in ends),
        starts=starts,
    )


def negative_log_density(density: Density) -> Callable[[np.ndarray, Observations], Any]:
    """Value and gradient of the negative log density; compiled once a form and table shape.

    Runs without weights get ones, so that a table and a part of it, in which the other runs weigh
    nothing, are searched by one program.
    """
    program, numbers = _program(density.form), density.numbers
    return lambda at, observed: program(at, _weighted(observed), numbers)


def _weighted(observed: Observations) -> Observations:
    if observed.weight is not None:
        return observed
    return observed._replace(weight=np.ones(np.shape(observed.log_loss)))


@lru_cache(maxsize=8)
def _program(form: Density) -> Callable[..., Any]:
    def negative(at: Any, observed: Observations, numbers: Numbers | None) -> Any:
        return -form.log_density(at, observed, numbers=numbers)

    return jax.jit(jax.value_and_grad(negative))


def _hessian(
    gradient: Callable[[np.ndarray], np.ndarray], position: np.ndarray, scale: np.ndarray
) -> np.ndarray:
    """Central difference of the gradient, with steps of a thousandth of each scale."""
    steps = np.diag(1e-3 * scale)
    rows = [(gradient(position + s) - gradient(position - s)) / (2.0 * s.sum()) for s in steps]
    return (np.stack(rows) + np.stack(rows).T) / 2.0


class Start(NamedTuple):
    """Where chains begin: at the mode, or in the middle of the prior where none was found.

    Parameters
    ----------
    centre, factor
        Position, and factor of the covariance to whiten with.
    facts
        How the search went: ``mode_agreeing`` (0 where it failed) and ``mode_starts``.
    """

    centre: np.ndarray
    factor: np.ndarray
    facts: dict[str, Any]


def start_of_chains(density: Density, observed: Observations, rng: np.random.Generator) -> Start:
    """Look for the mode; fall back on the spread of the prior, and say so in the facts."""
    try:
        mode = find_mode(density, observed, rng=rng)
    except NoModeFound:
        return Start(*prior_spread(density), {"mode_agreeing": 0, "mode_starts": STARTS})
    facts = {"mode_agreeing": mode.agreeing, "mode_starts": mode.starts}
    return Start(mode.position, mode.factor, facts)


def prior_spread(density: Density) -> tuple[np.ndarray, np.ndarray]:
    """Centre and diagonal factor of the prior, unconstrained: where to begin without a mode."""
    low, centre, high = (_quantile(density, p) for p in (0.16, 0.5, 0.84))
    return centre, np.diag((high - low) / 2.0)


def _quantile(density: Density, level: float) -> np.ndarray:
    """Position of a quantile of every prior."""
    model = density.model
    return density.unconstrain(
        {n: np.full(model.shapes[n], model.priors.table[n].scipy().ppf(level)) for n in model.free}
    )


def starts_of(density: Density, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Where to begin a search for the mode: the middle of the prior, and draws from it."""
    table, shapes = density.model.priors.table, density.model.shapes
    drawn = {n: table[n].sample(rng, (count - 1, *shapes[n])) for n in density.model.free}
    return [_quantile(density, 0.5), *density.unconstrain(drawn)]
