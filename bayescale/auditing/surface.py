"""A smooth surface through log losses, which stands for any law: what it leaves are residuals.

The audit asks whether something else than the sizes explains the losses, before a law is chosen. It
fits a cubic in the logarithms of the sizes (a quadratic to few rows) with Tukey's biweight, so that
a tenth of wrong rows does not move it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from jaxtyping import Float

TUNING = 4.685
"""Tukey's constant: in noise scales, where a row counts for nothing."""

STEPS = 30
SPARE = 5
"""Rows beyond one a coefficient, below which there is no surface."""

CUBIC = 40
"""Rows from which on the polynomial is a cubic; below it is a quadratic."""


@dataclass(frozen=True, eq=False)
class Surface:
    """A robust fit of a polynomial in log sizes.

    Parameters
    ----------
    residual
        Log loss less the surface, of each row; zeros where there are too few rows.
    scale
        Robust standard deviation of the residuals.
    basis
        Orthonormal columns that span the polynomial.
    """

    residual: Float[np.ndarray, " run"]
    scale: float
    basis: Float[np.ndarray, "run coefficient"]

    @property
    def known(self) -> bool:
        """Whether there were rows enough."""
        return self.basis.shape[1] > 0

    @classmethod
    def through(cls, log_loss: np.ndarray, logs: Sequence[np.ndarray]) -> "Surface":
        """The surface over given logarithms of sizes."""
        basis = polynomial(logs)
        if len(log_loss) < basis.shape[1] + SPARE:
            return cls(np.zeros(len(log_loss)), 0.0, basis[:, :0])
        # From the median on: least squares of a table with wrong rows would start far off.
        weight = np.ones(len(log_loss))
        residual = log_loss - np.median(log_loss)
        scale = robust_scale(residual)
        for _ in range(STEPS):
            root = np.sqrt(weight)
            found = np.linalg.lstsq(basis * root[:, None], log_loss * root, rcond=None)[0]
            residual = log_loss - basis @ found
            new = robust_scale(residual)
            if new < 1e-12 or np.isclose(new, scale, rtol=1e-6):
                scale = new
                break
            scale = new
            weight = np.maximum(1.0 - (residual / (TUNING * scale)) ** 2, 0.0) ** 2 + 1e-9
        return cls(residual, float(scale), basis)


def robust_scale(values: np.ndarray) -> float:
    """Median absolute deviation from zero, as a standard deviation of a Normal."""
    return float(1.4826 * np.median(np.abs(values)))


def polynomial(logs: Sequence[np.ndarray]) -> Float[np.ndarray, "run coefficient"]:
    """Orthonormal basis of the polynomials in some logarithms, without directions of no spread."""
    some = [(x - x.mean()) / x.std() for x in logs if np.ptp(x) > 1e-9]
    columns = [np.ones(len(logs[0]))]
    for degree in range(1, 3 + (len(logs[0]) >= CUBIC or len(some) == 1)):
        columns += [np.prod(terms, axis=0) for terms in combinations_with_replacement(some, degree)]
    basis, singular, _ = np.linalg.svd(np.stack(columns, axis=1), full_matrices=False)
    return basis[:, singular > 1e-6 * singular[0]]
