r"""The least loss at a compute budget ``C = N t``, with features that are trained or fixed.

A network of finite width that trains its features is taken to be the lazy model of that width at
the time ``tau(t)`` to which the growth of its weights has sped it up,

    L(N, t) = L_lazy(N, tau(t)),    tau' = 1 + u  (`theory.learning.feature_learning.clock`),

so that features change the exponent in time and not the bottleneck of width. **Heuristic**: tau is
that of infinite width, and the rotation of the kernel is dropped; the exponents are those of
Bordelon, Atanasov, Pehlevan 2024 (arXiv:2409.17858), ``L* ~ C^(-b s chi/(b s + chi))`` for s < 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64

from theory.errors import TheoryError
from theory.learning import dmft
from theory.learning.feature_learning import clock
from theory.learning.task import AbstractTask

WIDTHS = 48
"""Widths at which the loss at one budget is computed before the parabola through the least."""


@final
@dataclass(frozen=True, eq=False)
class Frontier:
    """What is best at each budget.

    Parameters
    ----------
    compute
        ``C = N t``, as asked for, (budget,).
    N, t
        Width and time at the least loss; real numbers, (budget,).
    loss
        The least loss, (budget,).
    """

    compute: Float64[np.ndarray, " budget"]
    N: Float64[np.ndarray, " budget"]
    t: Float64[np.ndarray, " budget"]
    loss: Float64[np.ndarray, " budget"]

    def slopes(self) -> Float64[np.ndarray, " interval"]:
        """``d log loss/d log C`` between successive budgets."""
        return np.diff(np.log(self.loss)) / np.diff(np.log(self.compute))


def frontier(
    task: AbstractTask, compute: Sequence[float] | np.ndarray, *, richness: float = 1.0
) -> Frontier:
    """Minimise the loss over the width at each budget.

    Parameters
    ----------
    task
        Any task of `theory.learning.spectrum`.
    compute
        Rising budgets C of at least 100.
    richness
        g, as of `theory.learning.feature_learning`; 0 is the lazy model.

    Raises
    ------
    TheoryError
        If budgets are out of range, or the least loss is at the smallest or largest width.

    Examples
    --------
    >>> from theory.learning.spectrum import PowerLaw
    >>> rich, lazy = (frontier(PowerLaw(1.6, 2.0), [1e5], richness=g) for g in (1.0, 0.0))
    >>> bool(rich.loss[0] < lazy.loss[0] and rich.N[0] > lazy.N[0])
    True
    """
    budgets = np.asarray(compute, dtype=float)
    rising = budgets.ndim == 1 and len(budgets) and np.all(np.diff(budgets) > 0)
    if not rising or not (budgets[0] >= 100 and np.isfinite(budgets[-1])):
        raise TheoryError(
            f"compute must be a list of finite, rising budgets N t of at least 100; got {compute}."
        )
    # From N = 1 to t = 1.
    share = np.linspace(0.0, 1.0, WIDTHS)
    N = budgets[:, None] ** share
    t = budgets[:, None] / N
    fine = task.resolved(mode=float(budgets[-1]), accuracy=1e-8)
    tau = np.stack([clock(fine, row[::-1], richness=richness)[0][::-1] for row in t])
    found = dmft.loss(task, N, t=tau)
    if not found.ok.all():
        raise TheoryError(f"the loss at some widths is not known: {found.status}")
    log_loss = np.log(found.value)
    best = np.argmin(log_loss, axis=1)
    if ((best == 0) | (best == WIDTHS - 1)).any():
        raise TheoryError(
            "the least loss is at the smallest or the largest width, so there is no balance of "
            "width and time at these budgets; pass larger ones."
        )
    rows = np.arange(len(budgets))
    before, at, after = (log_loss[rows, best + i] for i in (-1, 0, 1))
    # The parabola through the least and its neighbours, in log N.
    shift = (before - after) / (2 * (before - 2 * at + after))
    width = budgets ** ((best + shift) / (WIDTHS - 1))
    return Frontier(budgets, width, budgets / width, np.exp(at - (before - after) * shift / 4))
