"""Random-feature regression drawn at several ridges at once: one decomposition a draw.

`theory.learning.simulate.loss` trains one drawn model by one method; a ridge that is tuned needs
the same draws at many penalties, which differ in the filter only, ``r(x) = delta/(x + delta)``.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float64, Key

from theory.errors import TheoryError
from theory.learning.simulate import spectral
from theory.learning.simulate.averaged import Simulated, by_draw, summarise
from theory.learning.simulate.inputs import AbstractInputs
from theory.learning.simulate.modes import every_mode
from theory.learning.task import AbstractTask

__all__ = ["ridge_path"]


class Penalties(NamedTuple):
    """What all draws have in common: NumPy arrays on the host, JAX arrays inside a draw.

    Parameters
    ----------
    eigenvalues, powers
        ``lambda_k`` and ``p_k`` of every mode, (mode,).
    noise
        Variance of the label noise, a scalar.
    penalties
        Ridges, (penalty,).
    inputs
        `AbstractInputs.arrays`; empty for Gaussian features.
    """

    eigenvalues: Any
    powers: Any
    noise: Any
    penalties: Any
    inputs: Any = ()


@final
@dataclass(frozen=True)
class RidgePath:
    """Test losses of one drawn model at every penalty.

    Parameters
    ----------
    features, examples
        P and D; None of infinitely many.
    inputs
        Where examples come from; None for Gaussian features.
    """

    features: int | None
    examples: int | None
    inputs: AbstractInputs | None = None

    def __call__(self, key: Key[Array, ""], arrays: Penalties) -> Float64[Array, " penalty"]:
        """Losses; see `Penalties`."""
        lam, powers = arrays.eigenvalues, arrays.powers
        projection = spectral.draw_projection(key, self.features, len(lam))
        if self.inputs is None or self.examples is None:
            samples = spectral.draw_samples(key, self.examples, len(lam))
        else:
            points = self.inputs.draw(key, self.examples, arrays.inputs)
            samples = self.inputs.features(points, arrays.inputs)
        model = spectral.decompose(lam, powers, projection, samples)
        delta, x = arrays.penalties[:, None], model.eigenvalues[None, :]
        # The solution of least norm learns nothing along a direction that no example has.
        seen = jnp.sqrt(x) > len(lam) * jnp.finfo(x.dtype).eps * jnp.sqrt(jnp.max(x))
        residual = jnp.where(seen, delta / jnp.where(seen, x + delta, 1.0), 1.0)
        both = (residual, residual)
        return spectral.test_loss(model, model, both, powers, arrays.noise, same_samples=True)


def ridge_path(
    task: AbstractTask,
    *,
    features: float,
    examples: float,
    penalties: Sequence[float] | np.ndarray = (0.0,),
    noise: float = 0.0,
    draws: int = 200,
    seed: int = 0,
) -> Simulated:
    """Mean test loss over drawn random-feature regressions, at each ridge.

    ``E (y - f)^2`` with the label noise; teacher and noise are averaged by hand, so that draws
    differ in the projection and the samples only. All penalties see the same draws.

    Parameters
    ----------
    task
        A task with finitely many modes, such as ``isotropic(0.5, modes=1500)``.
    features, examples
        P and D; `math.inf` is simulated exactly.
    penalties
        Ridges delta of ``(1/D) |y - Phi w|^2 + delta |w|^2``; 0 is the solution of least norm.
    noise
        Variance of the label noise.
    draws, seed
        Number of draws and their seed.

    Returns
    -------
    Simulated
        With the shape of `penalties`.

    Raises
    ------
    TheoryError
        If an argument is out of its range, or the task has infinitely many modes.

    Examples
    --------
    >>> from theory.learning.random_features import isotropic, loss
    >>> task = isotropic(0.5, modes=100)
    >>> found = ridge_path(task, features=10, examples=30, draws=40)
    >>> theory = loss(task, 10, 30)
    >>> bool(abs(found.mean[0] - theory) < 3 * found.standard_error[0] + 0.03 * theory)
    True
    """
    return drawn_path(task, features, examples, penalties, noise, draws, seed)


def drawn_path(
    task: AbstractTask,
    features: float,
    examples: float,
    penalties: Sequence[float] | np.ndarray,
    noise: float,
    draws: int,
    seed: int,
    *,
    inputs: AbstractInputs | None = None,
) -> Simulated:
    """`ridge_path`, from Gaussian features or those of `inputs`, which have the task's modes."""
    eigenvalues, powers = every_mode(task)
    delta = np.asarray(penalties, dtype=float)
    if delta.ndim != 1 or not len(delta) or not np.all(np.isfinite(delta) & (delta >= 0)):
        raise TheoryError(
            f"penalties must be a list of finite numbers of at least 0; got {penalties}."
        )
    if not 0 <= noise < math.inf:
        raise TheoryError(f"noise is a variance, finite and not negative; got {noise}.")
    P, D = _size("features", features), _size("examples", examples)
    modes, finite = len(eigenvalues), [size for size in (P, D) if size is not None]
    floats = 2 * modes * (sum(finite) + min([*finite, modes])) + math.prod(finite)
    shared = () if inputs is None else inputs.arrays
    arrays = Penalties(eigenvalues, powers, np.float64(noise), delta, shared)
    one = RidgePath(P, D, inputs)
    values = by_draw(one, arrays, first=0, draws=draws, seed=seed, floats=floats, fixed=not finite)
    return summarise(values, seed)


def _size(name: str, size: float) -> int | None:
    if size == math.inf:
        return None
    if isinstance(size, bool) or not size >= 1 or size != int(size):
        raise TheoryError(f"{name} must be a whole number of at least 1, or math.inf; got {size}.")
    return int(size)
