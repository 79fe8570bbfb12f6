"""What every solver of the package returns, and the sentences of its statuses."""

from dataclasses import dataclass
from enum import IntEnum
from typing import final

import numpy as np
from jaxtyping import Float, Int

from theory.errors import TheoryError


class DynamicsError(TheoryError):
    """A question to the dynamics that has no answer, or none this solver gives."""


class Status(IntEnum):
    """How a point came out; its sentence is `Status.sentence`.

    Examples
    --------
    >>> Status.OK.sentence
    'ok'
    """

    OK = 0
    NOT_CONVERGED = 1
    NOT_RESOLVED = 2
    NOT_ACCURATE = 3
    DIVERGES = 4
    UNSTABLE = 5
    OUT_OF_DOMAIN = 6

    @property
    def sentence(self) -> str:
        """What happened, and what to do."""
        return SENTENCES[self]


SENTENCES: dict[Status, str] = {
    Status.OK: "ok",
    Status.NOT_CONVERGED: (
        "Newton's method did not find the renormalised scale, as happens with finitely many modes "
        "where N or P is within a few of their number; move N or P away from it."
    ),
    Status.NOT_RESOLVED: (
        "the spectrum's nodes end before the modes this point resolves; pass a task with a larger "
        "reach=, at least 32 times min(N, P, t^(1/b))."
    ),
    Status.NOT_ACCURATE: (
        "the quadrature did not reach the accuracy asked for, or so small a loss is lost in "
        "rounding; pass a larger accuracy=, fewer decades of time in one call, or t=inf."
    ),
    Status.DIVERGES: (
        "the loss is infinite: with N = P fewer than the modes it grows without bound as t grows; "
        "ask for a finite time, or for N different from P."
    ),
    Status.UNSTABLE: (
        "the step size is beyond the edge of stability, where the loss grows without bound; take "
        "a learning rate below 2/E+ of dmft.stability_edge."
    ),
    Status.OUT_OF_DOMAIN: (
        "an input is outside its domain (a > 1, b > 1, N >= 1, P >= 1, t >= 0, noise >= 0, none "
        "NaN); correct it."
    ),
}


@dataclass(frozen=True)
class Statistics:
    """How the numbers were got.

    Parameters
    ----------
    nodes
        Largest number of contour nodes (upper half) of a point; 0 where a closed form was used.
    spectrum_nodes
        Number of nodes that stand for the modes.
    newton_residual
        Largest ``|z(kappa)/z - 1|`` over nodes.
    estimated_error
        Relative, a bound on the error of points that are ok: five times that of the same contours
        at N = P = infinity, where the loss is ``sum p exp(-2 lambda t)``, or the gap to a second
        contour; and the rounding of the largest terms. 0 for closed forms.
    """

    nodes: int
    spectrum_nodes: int
    newton_residual: float
    estimated_error: float


@final
@dataclass(frozen=True)
class Solution:
    """A value at each point, what became of it, and how it was got.

    Parameters
    ----------
    value
        Of the broadcast shape of the inputs; infinite or NaN only where the status says why.
    code
        `Status` of each point.
    stats
        Nodes, residual and error estimate of the whole call.
    """

    value: Float[np.ndarray, "*point"]
    code: Int[np.ndarray, "*point"]
    stats: Statistics

    @property
    def status(self) -> str:
        """The sentences of all statuses that occur, or ``ok``."""
        found = [Status(int(code)) for code in np.unique(self.code)]
        bad = [status for status in found if status is not Status.OK]
        if not bad:
            return Status.OK.sentence
        total = self.code.size
        return " ".join(
            f"{int((self.code == status).sum())} of {total} points: {status.sentence}"
            for status in bad
        )

    @property
    def ok(self) -> np.ndarray | np.bool:
        """Whether each point is."""
        return self.code == Status.OK
