"""What is simulated: one draw of a model, or of two, trained by a full-batch method."""

from dataclasses import dataclass
from typing import Any, NamedTuple, final

import jax
from jaxtyping import Array, Float64, Key

from theory.learning.simulate.spectral import (
    Spectral,
    decompose,
    draw_projection,
    draw_samples,
    mode_response,
    test_loss,
    train_loss,
)

OBSERVABLES = ("test", "train", "gap")


class Arrays(NamedTuple):
    """What all draws have in common: NumPy arrays on the host, JAX arrays inside a draw.

    Parameters
    ----------
    eigenvalues, powers
        ``lambda_k`` and ``p_k`` of every mode, (mode,).
    noise
        Variance of the label noise, a scalar.
    times
        Times, or numbers of steps, (time,).
    dynamics
        A full-batch method of `theory.learning.dmft`, with its settings as leaves.
    """

    eigenvalues: Any
    powers: Any
    noise: Any
    times: Any
    dynamics: Any


@final
@dataclass(frozen=True)
class FullBatch:
    """Loss of one drawn model under a linear method.

    Parameters
    ----------
    N, P
        Features and samples; None of infinitely many.
    observable
        One of `OBSERVABLES`.
    """

    N: int | None
    P: int | None
    observable: str

    def __call__(self, key: Key[Array, ""], arrays: Arrays) -> Float64[Array, " time"]:
        """Losses; see `Arrays`."""
        powers, noise = arrays.powers, arrays.noise
        model = _draw(key, key, self.N, self.P, arrays)
        residual = residuals(model, arrays)
        test = test_loss(model, model, (residual, residual), powers, noise, same_samples=True)
        if self.observable == "test":
            return test
        train = train_loss(model, residual, powers, noise)
        return train if self.observable == "train" else test - train


@final
@dataclass(frozen=True)
class Crossed:
    """``E (y - f_1)(y - f_2)`` of two models that share their projection, their samples, or none.

    Parameters
    ----------
    N, P
        Features and samples of each; None of infinitely many.
    same_projection, same_samples
        What they share.
    """

    N: int | None
    P: int | None
    same_projection: bool
    same_samples: bool

    def __call__(self, key: Key[Array, ""], arrays: Arrays) -> Float64[Array, " time"]:
        """Cross terms; see `Arrays`."""
        powers, noise = arrays.powers, arrays.noise
        other = jax.random.fold_in(key, 1)
        first = _draw(key, key, self.N, self.P, arrays)
        for_projection = key if self.same_projection else other
        for_samples = key if self.same_samples else other
        second = _draw(for_projection, for_samples, self.N, self.P, arrays)
        both = tuple(residuals(model, arrays) for model in (first, second))
        return test_loss(
            first, second, (both[0], both[1]), powers, noise, same_samples=self.same_samples
        )


@final
@dataclass(frozen=True)
class Responses:
    """Responses of chosen modes in one drawn model.

    Parameters
    ----------
    N, P
        Features and samples; None of infinitely many.
    modes
        Which, counted from 1.
    """

    N: int | None
    P: int | None
    modes: tuple[int, ...]

    def __call__(self, key: Key[Array, ""], arrays: Arrays) -> Float64[Array, "time mode"]:
        """Responses; see `Arrays`."""
        model = _draw(key, key, self.N, self.P, arrays)
        return mode_response(model, residuals(model, arrays), self.modes)


def _draw(
    for_projection: Key[Array, ""],
    for_samples: Key[Array, ""],
    N: int | None,
    P: int | None,
    arrays: Arrays,
) -> Spectral:
    eigenvalues, powers = arrays.eigenvalues, arrays.powers
    projection = draw_projection(for_projection, N, len(eigenvalues))
    samples = draw_samples(for_samples, P, len(eigenvalues))
    return decompose(eigenvalues, powers, projection, samples)


def residuals(model: Spectral, arrays: Arrays) -> Float64[Array, "time direction"]:
    """``r_t`` at the eigenvalues of a drawn model."""
    x = model.eigenvalues
    # Discrete filters are powers, of a negative base beyond 1/eta.
    x = x.astype(complex) if arrays.dynamics.discrete else x
    return arrays.dynamics.filter(x, arrays.times).real
