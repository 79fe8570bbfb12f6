r"""Kernel regression on drawn inputs: the whole learning curve from one factorisation a draw.

Without noise the mean loss over isotropic teachers is the posterior variance of the kernel's
Gaussian process, the loss of infinitely many random features. Averaged over new inputs by hand,

    L(D) = tr Lambda - tr[K_D^-1 K^2_D],    K^p_D = K^p between the first D points,

and with ``K = L L^T`` the trace is ``sum_(i <= D) (L^-1 K^2 L^-T)_ii`` for every D at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Float64, Key

from theory.errors import TheoryError
from theory.learning.simulate.averaged import Simulated, by_draw, summarise
from theory.learning.simulate.inputs import AbstractInputs
from theory.learning.simulate.random_features import drawn_path

__all__ = ["feature_path", "kernel_curve"]

ABOVE_ROUNDING = 1e4
"""Least loss, in units of the jitter, that is a measurement."""


def jitter(largest: int) -> float:
    """``D^2 eps``, in mean diagonals: the rounding of a Cholesky factor of D positive rows.

    It acts like noise on the labels of that variance.
    """
    return largest**2 * float(np.finfo(np.float64).eps)


class Curve(NamedTuple):
    """What all draws have in common: NumPy arrays on the host, JAX arrays inside a draw.

    Parameters
    ----------
    inputs
        `AbstractInputs.arrays`.
    trace
        ``tr Lambda``, a scalar.
    sizes
        Whole numbers D, (size,).
    """

    inputs: Any
    trace: Any
    sizes: Any


@final
@dataclass(frozen=True)
class KernelCurve:
    """Losses of kernel regression on the first points of one draw.

    Parameters
    ----------
    inputs
        Where points come from.
    largest
        How many are drawn.
    """

    inputs: AbstractInputs
    largest: int

    def __call__(self, key: Key[Array, ""], arrays: Curve) -> Float64[Array, " size"]:
        """Losses; see `Curve`."""
        points = self.inputs.draw(key, self.largest, arrays.inputs)
        kernel, square = self.inputs.kernels(points, arrays.inputs)
        noise = jitter(self.largest) * jnp.mean(jnp.diagonal(kernel))
        factor = jnp.linalg.cholesky(kernel + noise * jnp.eye(self.largest))
        half = solve_triangular(factor, square, lower=True)
        seen = jnp.diagonal(solve_triangular(factor, half.T, lower=True))
        return arrays.trace - jnp.cumsum(seen)[arrays.sizes - 1]


def kernel_curve(
    inputs: AbstractInputs, examples: Sequence[int], *, draws: int = 100, seed: int = 0
) -> Simulated:
    """Mean loss of noise-free kernel regression against the number of examples.

    Over teachers ``w . F(x)`` with ``E w_k^2 = 1``, in units in which the loss without examples is
    ``sum lambda_k``.

    Parameters
    ----------
    inputs
        `Torus`, `Sphere` or `Rows`.
    examples
        Sizes D; the smaller are parts of the larger, so that their errors are related.
    draws, seed
        Number of draws and their seed.

    Returns
    -------
    Simulated
        With an axis over `examples`.

    Raises
    ------
    TheoryError
        If a size is out of range, or the loss falls to the size of rounding.

    Examples
    --------
    >>> from theory.learning.random_features import unresolved
    >>> from theory.learning.simulate.inputs import Torus
    >>> square = Torus(dimension=2, smoothness=1.5, frequencies=7)
    >>> found = kernel_curve(square, [8, 32], draws=40)
    >>> bool(np.all(np.abs(found.mean / unresolved(square.spectrum, [8, 32]) - 1) < 0.2))
    True
    """
    sizes = np.asarray(examples)
    if sizes.ndim != 1 or not len(sizes) or sizes.dtype.kind not in "iu" or sizes.min() < 1:
        raise TheoryError(
            f"examples must be a list of whole numbers of at least 1; got {examples}."
        )
    if sizes.max() > inputs.most:
        raise TheoryError(
            f"{sizes.max()} examples were asked for, and there are {inputs.most:g} points."
        )
    largest, spectrum = int(sizes.max()), inputs.spectrum
    trace = float(np.sum(np.asarray(spectrum.given_eigenvalues)))
    arrays = Curve(inputs.arrays, np.float64(trace), sizes)
    floats = 2 * largest * spectrum.modes + 6 * largest**2
    values = by_draw(
        KernelCurve(inputs, largest),
        *(arrays,),
        first=0,
        draws=draws,
        seed=seed,
        floats=floats,
        fixed=False,
    )
    if not np.all(values > ABOVE_ROUNDING * jitter(largest) * trace):
        raise TheoryError(
            f"the loss falls to the size of rounding before D = {largest} examples; ask for fewer, "
            "or take a rougher kernel."
        )
    return summarise(values, seed)


def feature_path(
    inputs: AbstractInputs,
    *,
    features: float,
    examples: int,
    penalties: Sequence[float] | np.ndarray = (0.0,),
    noise: float = 0.0,
    draws: int = 100,
    seed: int = 0,
) -> Simulated:
    """Mean loss of random features of these inputs, at each ridge; see `ridge_path`.

    The features are random mixtures of the kernel's, as in `ridge_path`, but the examples are
    drawn from the inputs, whose features are not Gaussian.

    Parameters
    ----------
    inputs
        `Torus` or `Rows`.
    features, examples
        P, which may be infinite, and D.
    penalties, noise, draws, seed
        As for `ridge_path`.

    Raises
    ------
    TheoryError
        As for `ridge_path`; and if there are fewer points than examples, or the features of the
        inputs are not known.

    Examples
    --------
    >>> from theory.learning.random_features import loss
    >>> from theory.learning.simulate.inputs import Torus
    >>> square = Torus(dimension=2, smoothness=1.5, frequencies=7)
    >>> found = feature_path(square, features=10, examples=40, draws=40)
    >>> bool(abs(found.mean[0] / loss(square.spectrum, 10, 40) - 1) < 0.1)
    True
    """
    if not 1 <= examples <= inputs.most:
        raise TheoryError(
            f"examples must be a whole number from 1 to {inputs.most:g}; got {examples}."
        )
    return drawn_path(
        inputs.spectrum, features, examples, penalties, noise, draws, seed, inputs=inputs
    )
