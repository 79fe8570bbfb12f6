r"""Other projections than iid Gaussian ones.

**Orthogonal rows** (Haar), scaled so that ``A A^T = M 1``: ``F = A^T A/N = (M/N) Pi`` with Pi a
random projector of rank N, free of the spectrum. With S-transforms, ``z = kappa/S_F(-df1/M)``, and
for the projector ``S_F(-x) = (1 - x)/(1 - x M/N)``, so that

    z = kappa (1 - df1/N)/(1 - df1/M),    H_k = kappa/(z (kappa + lambda_k)),

which becomes the Gaussian equation as M grows at fixed N. With infinitely many examples
``F Lambda`` can be symmetrised, so the loss of gradient flow is ``sum p_k H_k(2t)`` whatever F; at
``t = inf`` it is that of Gaussian rows, because only the range of A matters then. The two-point
functions at finite P are not known here, and are refused.

**Aligned rows**, drawn from ``N(0, diag(lambda_k^degree))``: ``A psi = G (lambda^{degree/2} psi)``
with G iid, so it is the Gaussian model of the spectrum ``lambda^(1 + degree)`` with the same
powers, at every N, P and t and for all dynamics.
"""

import math
from dataclasses import dataclass
from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np

from theory.dmft.contour import linear
from theory.dmft.dynamics import GradientFlow
from theory.dmft.points import Points
from theory.dmft.scale import renormalised_scale
from theory.dmft.solution import DynamicsError
from theory.mode_sums import resolvent, scale_of_rank

NODES = 24
"""Of each point's contour: about 1e-10."""


@final
@dataclass(frozen=True)
class Gaussian:
    """Rows with iid standard normal entries: the model of the rest of this package."""


@final
@dataclass(frozen=True)
class Orthogonal:
    """Haar-distributed orthogonal rows with ``A A^T = M 1``; finitely many modes, P infinite."""


@final
@dataclass(frozen=True)
class Aligned:
    """Rows drawn from ``N(0, diag(lambda^degree))``: towards the top modes for degree > 0.

    Parameters
    ----------
    degree
        0 is Gaussian; above -1.
    """

    degree: float

    def spectrum(self, task: Any) -> Any:
        """The task whose Gaussian projection is this task's aligned one.

        Raises
        ------
        DynamicsError
            If the degree is not a finite number above -1.

        Examples
        --------
        >>> from theory.spectrum import PowerLaw
        >>> Aligned(0.5).spectrum(PowerLaw(a=1.5, b=1.2)).b.__round__(6)
        1.8
        """
        if not (math.isfinite(self.degree) and self.degree > -1):
            raise DynamicsError(f"degree must be a finite number above -1; got {self.degree}.")
        return task.raised(1 + self.degree)


def orthogonal_loss(task: Any, N: Any, t: Any, noise: Any = 0.0) -> Any:
    """Test loss of gradient flow with `Orthogonal` rows and infinitely many examples.

    Parameters
    ----------
    task
        With finitely many modes M.
    N
        From 1 to M; broadcasts with t and noise.
    t
        Times; ``inf`` allowed.

    Raises
    ------
    DynamicsError
        If the task has infinitely many modes (then pass Gaussian rows: they are the same), N
        exceeds M, or an input is out of its domain.

    Examples
    --------
    >>> from theory.spectrum import PowerLaw
    >>> task = PowerLaw(a=1.5, b=1.25, modes=300)
    >>> float(orthogonal_loss(task, N=300, t=1.0).round(6))  # all modes: sum p exp(-2 lambda t)
    1.320127
    """
    if task.modes is None:
        raise DynamicsError(
            "orthogonal rows of infinitely many modes are Gaussian rows; call dmft.loss, or pass "
            "a task with modes=."
        )
    points = Points.of(N, math.inf, t, noise, discrete=False)
    if points.N.max() > task.modes:
        raise DynamicsError(
            f"at most M = {task.modes} rows can be orthogonal; got N={points.N.max():g}."
        )
    with jax.enable_x64(True):
        task = task.resolved(mode=points.mode(getattr(task, "b", None)), accuracy=1e-9)
        value = _orthogonal(task, 1 / points.N, np.where(points.t > 0, points.t, 1.0))
        start = float(jnp.sum(task.counts * task.powers))
    value = np.where(points.t > 0, np.asarray(value), start)
    return (value + points.noise).reshape(points.shape)


@jax.jit
def _orthogonal(task: Any, inverse_N: Any, t: Any) -> Any:
    twice = 2 * jnp.where(jnp.isfinite(t), t, 1.0)
    z, weight, _ = GradientFlow().path(twice, twice, NODES, 1e-11)
    kappa = renormalised_scale(
        task, z, inverse_N, 0 * inverse_N, inverse_M=1 / task.modes, follow=True
    )
    found = linear(kappa / z * resolvent(task, kappa), weight * jnp.exp(z * twice[:, None]))
    end = jnp.maximum(scale_of_rank(task, 1 / inverse_N), 1e-140)
    return jnp.where(jnp.isfinite(t), found, end * resolvent(task, end[:, None])[:, 0])
