r"""One drawn model, reduced to its spectrum: any filter at any time is then a small quadratic form.

With the projection ``A`` (feature, mode), the samples ``Psi = Z Lambda^(1/2)`` (sample, mode) and
the singular values ``Phi/sqrt(P) = Psi A^T/sqrt(N P) = U S V^T``, training from zero by any linear
method with residual filter r_t leaves the error

    Lambda^(1/2) v_0 = (1 - sum_j d_j left_j right_j^T) Lambda^(1/2) w*
                       - sum_j d_j left_j U_j.eps/sqrt(P),
    d_j = (1 - r_t(S_j^2))/S_j,  left = V^T A Lambda^(1/2)/sqrt(N),  right = U^T Z/sqrt(P),

whose square is averaged over the teacher (``E w*_k^2 = p_k/lambda_k``, independent components) and
the label noise by hand. With infinitely many samples the gradient is that of the population:
``A Lambda^(1/2)/sqrt(N) = V S W^T``, ``left = right = W^T``, ``d_j = 1 - r_t(S_j^2)``. With
infinitely many features ``A/sqrt(N)`` is an isometry and drops out.

Source: Bordelon et al. 2024, arXiv:2402.01092, section 2 (the model); the averages by hand.
"""

from dataclasses import dataclass
from typing import final

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float64, Key


@final
@dataclass(frozen=True)
class Spectral:
    """A drawn model in the basis in which its training is diagonal.

    Parameters
    ----------
    eigenvalues
        ``S_j^2``, the rates of learning; as many as the rank.
    scale
        What ``1 - r_t`` is divided by to give ``d_j``.
    left, right
        As in the formula of this module.
    samples
        ``U`` (sample, direction); None of infinitely many samples.
    power_seen
        ``(1/P) sum_i (Psi w*)_i^2`` averaged over the teacher; that of the task where the samples
        are infinitely many.
    """

    eigenvalues: Float64[Array, " direction"]
    scale: Float64[Array, " direction"]
    left: Float64[Array, "direction mode"]
    right: Float64[Array, "direction mode"]
    samples: Float64[Array, "sample direction"] | None
    power_seen: Float64[Array, ""]


def draw_projection(key: Key[Array, ""], N: int | None, modes: int) -> Array | None:
    """``A/sqrt(N)`` with standard normal ``A``, (feature, mode); None of infinitely many."""
    own = jax.random.fold_in(key, 2)  # streams apart where the keys are the same
    return None if N is None else jax.random.normal(own, (N, modes)) / jnp.sqrt(N)


def draw_samples(key: Key[Array, ""], P: int | None, modes: int) -> Array | None:
    """Standard normal ``Z``, (sample, mode); None of infinitely many."""
    return None if P is None else jax.random.normal(jax.random.fold_in(key, 3), (P, modes))


def decompose(
    eigenvalues: Float64[Array, " mode"],
    powers: Float64[Array, " mode"],
    projection: Array | None,
    samples: Array | None,
) -> Spectral:
    """The singular values and vectors of a drawn model.

    Parameters
    ----------
    eigenvalues, powers
        ``lambda_k`` and ``p_k``.
    projection, samples
        From `draw_projection` and `draw_samples`.
    """
    root, modes = jnp.sqrt(eigenvalues), len(eigenvalues)
    if samples is None:
        if projection is None:
            rates, basis = eigenvalues, jnp.eye(modes)
        else:
            _, s, basis = jnp.linalg.svd(projection * root[None, :], full_matrices=False)
            rates = s**2
        return Spectral(rates, jnp.ones_like(rates), basis, basis, None, jnp.sum(powers))
    P = len(samples)
    inputs = samples * root[None, :]
    features = inputs if projection is None else inputs @ projection.T
    u, s, v = jnp.linalg.svd(features / jnp.sqrt(P), full_matrices=False)
    # Where there are fewer modes than both sizes the other singular values are zero.
    rank = min(*features.shape, modes)
    u, s, v = u[:, :rank], s[:rank], v[:rank]
    left = (v if projection is None else v @ projection) * root[None, :]
    seen = jnp.sum(samples**2 @ powers) / P
    return Spectral(s**2, s, left, u.T @ samples / jnp.sqrt(P), u, seen)


def test_loss(
    first: Spectral,
    second: Spectral,
    residuals: tuple[Float64[Array, "time direction"], Float64[Array, "time other"]],
    powers: Float64[Array, " mode"],
    noise: Float64[Array, ""],
    *,
    same_samples: bool,
) -> Float64[Array, " time"]:
    """``E (y - f_1)(y - f_2)`` over test points, teacher and label noise.

    With `first` and `second` the same model it is the test loss.

    Parameters
    ----------
    first, second
        Two models trained on the same task.
    residuals
        ``r_t`` at the eigenvalues of each.
    powers, noise
        ``p_k`` and ``sigma^2``.
    same_samples
        Whether both saw the same samples, hence the same label noise.
    """
    d_1, d_2 = (
        (1 - r) / model.scale[None, :] for r, model in zip(residuals, (first, second), strict=True)
    )
    overlap = first.left @ second.left.T
    form = overlap * ((first.right * powers[None, :]) @ second.right.T)
    if same_samples and first.samples is not None and second.samples is not None:
        # The errors of both models hold the same label noise.
        form = form + noise / len(first.samples) * overlap * (first.samples.T @ second.samples)
    linear = d_1 @ _linear(first, powers) + d_2 @ _linear(second, powers)
    return noise + jnp.sum(powers) - linear + jnp.sum((d_1 @ form) * d_2, axis=-1)


def _linear(model: Spectral, powers: Float64[Array, " mode"]) -> Float64[Array, " direction"]:
    return (model.left * model.right) @ powers


def train_loss(
    model: Spectral,
    residual: Float64[Array, "time direction"],
    powers: Float64[Array, " mode"],
    noise: Float64[Array, ""],
) -> Float64[Array, " time"]:
    """Mean squared residual on the samples, averaged over teacher and label noise.

    Along ``U_j`` the labels shrink by ``r_t``; across all of ``U`` they stay.
    """
    if model.samples is None:
        return test_loss(model, model, (residual, residual), powers, noise, same_samples=True)
    count, rank = model.samples.shape
    along = model.right**2 @ powers + noise / count
    left_over = residual**2 @ along
    if rank == count:
        return left_over
    return left_over + model.power_seen + noise - jnp.sum(along)


def mode_response(
    model: Spectral, residual: Float64[Array, "time direction"], modes: tuple[int, ...]
) -> Float64[Array, "time mode"]:
    """``v_0k/w*_k``: what is left of the teacher's component k, averaged over the other ones."""
    index = jnp.array(modes) - 1
    d = (1 - residual) / model.scale[None, :]
    return 1 - d @ (model.left * model.right)[:, index]
