"""Coordinates in which a posterior is nearly a unit Gaussian, from a mode and from draws."""

from typing import Any, NamedTuple

import jax.numpy as jnp

SHRINK = 0.1
"""Weight of the old whitening in the new one, which keeps it definite where chains hardly moved."""


class Whitening(NamedTuple):
    """``position = centre + factor @ z``; shapes (table, coordinate), (table, coordinate, ...)."""

    centre: Any
    factor: Any

    def positions(self, z: Any) -> Any:
        """Positions of whitened ones, (..., table, chain, coordinate)."""
        moved = jnp.einsum("tij,...tcj->...tci", self.factor, z)
        return moved + jnp.broadcast_to(self.centre[:, None], moved.shape)

    def whitened(self, positions: Any) -> Any:
        """The inverse."""
        shifted = jnp.swapaxes(positions - self.centre[:, None], 1, 2)
        return jnp.swapaxes(jnp.linalg.solve(self.factor, shifted), 1, 2)


def whiten(old: Whitening, pooled: Any) -> Whitening:
    """Whitening of one table by draws (draw, chain, coordinate), shrunk towards the old one."""
    factor = old.factor
    flat = pooled.reshape(-1, pooled.shape[-1])
    mean = flat.mean(axis=0)
    scaled = jnp.linalg.solve(factor, (flat - mean[None]).T)
    covariance = (1.0 - SHRINK) * scaled @ scaled.T / flat.shape[0] + SHRINK * jnp.eye(len(mean))
    return Whitening(mean, factor @ jnp.linalg.cholesky(covariance))


def spread(pooled: Any) -> Whitening:
    """Whitening of one table by the means and standard deviations of draws."""
    flat = pooled.reshape(-1, pooled.shape[-1])
    return Whitening(flat.mean(axis=0), jnp.diag(flat.std(axis=0) + 1e-6))
