r"""How the rows of the projection A are drawn: iid Gaussian, aligned or orthogonal.

**Orthogonal rows** (Haar), scaled so that ``A A^T = M 1``: ``F = A^T A/N = (M/N) Pi`` with Pi a
random projector of rank N, free of the spectrum. With S-transforms, for the projector
``S_F(-x) = (1 - x)/(1 - x M/N)``, so that

    z = kappa (1 - df1/P) (1 - df1/N)/(1 - df1/M),    H_k = kappa/(z (kappa + lambda_k)),

which becomes the Gaussian equation as M grows at fixed N, and at N = M that of no projection. The
two-point functions are derived in `theory.learning.dmft.two_point`.

**Aligned rows**, drawn from ``N(0, diag(lambda_k^degree))``: ``A psi = G (lambda^{degree/2} psi)``
with G iid, so it is the Gaussian model of the spectrum ``lambda^(1 + degree)`` with the same
powers, at every N, P and t and for all dynamics.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import jax
import numpy as np

from theory.learning.dmft.solution import DynamicsError
from theory.learning.task import AbstractTask


class AbstractProjection(ABC):
    """What the solver asks of a way to draw A."""

    @abstractmethod
    def spectrum(self, task: AbstractTask) -> AbstractTask:
        """The task whose projection by Gaussian or orthogonal rows this is."""

    def inverse_M(self, task: AbstractTask) -> float:
        """``1/M`` where rows are orthogonal, or 0."""
        del task
        return 0.0

    def check(self, task: AbstractTask, N: np.ndarray) -> None:
        """Raise `DynamicsError` where such rows cannot be drawn."""
        del task, N


@final
@dataclass(frozen=True)
class Gaussian(AbstractProjection):
    """Rows with iid standard normal entries."""

    def spectrum(self, task: AbstractTask) -> AbstractTask:
        """The task itself."""
        return task


@final
@dataclass(frozen=True)
class Orthogonal(AbstractProjection):
    """Haar-distributed orthogonal rows with ``A A^T = M 1``; Gaussian ones where M is infinite.

    Examples
    --------
    >>> from theory.learning.dmft import loss
    >>> from theory.learning.spectrum import PowerLaw
    >>> task = PowerLaw(a=1.5, b=1.25, modes=300)
    >>> loss(task, N=300, t=1.0, projection=Orthogonal()).value.round(6).item()  # no projection
    1.242881
    """

    def spectrum(self, task: AbstractTask) -> AbstractTask:
        """The task itself."""
        return task

    def inverse_M(self, task: AbstractTask) -> float:
        """``1/M``."""
        return 0.0 if task.modes is None else 1 / task.modes

    def check(self, task: AbstractTask, N: np.ndarray) -> None:
        """Raise where there are more rows than modes.

        Raises
        ------
        DynamicsError
            If N exceeds M.
        """
        finite = N[np.isfinite(N)]
        if task.modes is not None and (finite.size < N.size or finite.max() > task.modes):
            raise DynamicsError(
                f"at most M = {task.modes} rows can be orthogonal; got N={N.max():g}."
            )


@final
@dataclass(frozen=True)
class Aligned(AbstractProjection):
    """Rows drawn from ``N(0, diag(lambda^degree))``: towards the top modes for degree > 0.

    Parameters
    ----------
    degree
        0 is Gaussian; above -1.
    """

    degree: float

    def spectrum(self, task: AbstractTask) -> AbstractTask:
        """The task whose Gaussian projection is this task's aligned one.

        Raises
        ------
        DynamicsError
            If the degree is not a finite number above -1.

        Examples
        --------
        >>> from theory.learning.spectrum import PowerLaw
        >>> Aligned(0.5).spectrum(PowerLaw(a=1.5, b=1.2)).b.__round__(6)
        1.8
        """
        if not (math.isfinite(self.degree) and self.degree > -1):
            raise DynamicsError(f"degree must be a finite number above -1; got {self.degree}.")
        with jax.enable_x64(True):
            return task.raised(1 + self.degree)
