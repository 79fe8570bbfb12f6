"""Embeddings as a function of size: which parameters N counts, and which the compute counts."""

import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from bayescale.cost.cost import AbstractTokenCost
from theory.declaration.namespace import Elementary, Numeric

OMEGA = 47_491.0
"""Embedding parameters over the cube root of the others: Pearce and Song 2024, arXiv:2406.12907."""


@final
@dataclass(frozen=True)
class EmbeddingCost(AbstractTokenCost):
    """``C = 6 n D`` where N and n differ by the embeddings: ``N_total = n + omega n^(1/3)``.

    Parameters
    ----------
    size_is_total
        True: N counts embeddings and the compute does not, as in Kaplan's study seen from
        Hoffmann's law. False: N counts no embeddings and the compute does.
    omega
        Embedding parameters over the cube root of the other ones.
    """

    size_is_total: bool
    omega: float = OMEGA

    def log_token(self, log_size: Numeric, ops: Elementary = np) -> Any:
        """Log of the training FLOP a token, from the log of N."""
        if not self.size_is_total:
            return math.log(6.0) + ops.logaddexp(log_size, math.log(self.omega) + log_size / 3)
        return math.log(6.0) + self.log_non_embedding(log_size, ops)

    def log_non_embedding(self, log_total: Numeric, ops: Any = np) -> Any:
        """Log n that solves ``n + omega n^(1/3) = N``: one real root, by hyperbolic sines.

        With ``x = n^(1/3)`` the cubic ``x^3 + omega x = N`` has the root ``x = 2 r sinh(t/3)``,
        ``sinh(t) = N/(2 r^3)``, ``r^2 = omega/3``.
        """
        root = math.sqrt(self.omega / 3)
        angle = ops.arcsinh(ops.exp(log_total) / (2 * root**3))
        return 3 * ops.log(2 * root * ops.sinh(angle / 3))
