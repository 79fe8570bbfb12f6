"""What a batch costs: the critical batch size, extra compute, extra steps, the shortest time.

Steps S and examples ``E = B S`` to reach a loss lie on ``(S/S_min - 1)(E/E_min - 1) = 1``
(McCandlish et al. 2018, arXiv:1812.06162, section 2), so with ``B_crit = E_min/S_min``

    E = E_min (1 + B/B_crit),   S = S_min (1 + B_crit/B):

at the critical batch a run takes twice the least compute and twice the fewest steps.
"""

import numpy as np
from jaxtyping import Float

from bayescale.cost.hardware import HOUR
from bayescale.errors import UsageError

KAPLAN_TOKENS, KAPLAN_EXPONENT = 2e8, 0.21
"""``B*`` in tokens and alpha_B of Kaplan et al. 2020, arXiv:2001.08361, eq. (1.4)."""


def critical_batch(
    loss: float | Float[np.ndarray, "..."],
    *,
    scale: float = KAPLAN_TOKENS,
    exponent: float = KAPLAN_EXPONENT,
) -> Float[np.ndarray, "..."]:
    """``B_crit = B*/L^(1/alpha_B)`` in tokens: Kaplan et al. 2020, eq. (1.4).

    It was measured on one corpus up to 1.5e9 parameters; Zhang et al. 2024 (arXiv:2410.21676)
    find that it follows D more than N.

    Parameters
    ----------
    loss
        Loss at the end, nats per token.
    scale, exponent
        ``B*`` in tokens, and alpha_B.

    Raises
    ------
    UsageError
        If something is not positive.

    Examples
    --------
    >>> float(critical_batch(2.0).round(-4))
    7370000.0
    """
    array = np.asarray(loss, dtype=np.float64)
    if not (np.all(array > 0) and scale > 0 and exponent > 0):
        raise UsageError(
            f"loss, scale and exponent of a critical batch are positive; got {loss}, {scale:g} and "
            f"{exponent:g}."
        )
    return np.asarray(scale * array ** (-1 / exponent))


def extra_compute(batch: float, critical: float | np.ndarray) -> np.ndarray:
    """``1 + B/B_crit``: compute over the least that reaches the loss.

    Examples
    --------
    >>> float(extra_compute(1e6, critical=4e6))
    1.25
    """
    return np.asarray(1 + _positive(batch) / np.asarray(critical))


def extra_steps(batch: float, critical: float | np.ndarray) -> np.ndarray:
    """``1 + B_crit/B``: steps over the fewest that reach the loss.

    Examples
    --------
    >>> float(extra_steps(1e6, critical=4e6))
    5.0
    """
    return np.asarray(1 + np.asarray(critical) / _positive(batch))


def serial_hours(data: float, batch: float, critical: float, step_seconds: float) -> float:
    """Least wall-clock hours at a batch: ``S_min (1 + B_crit/B) t_step``, ``S_min = D/B_crit``.

    Parameters
    ----------
    data
        Tokens at a small batch, E_min.
    batch, critical
        Tokens of a batch, and of the critical one.
    step_seconds
        Time of one step.

    Examples
    --------
    >>> serial_hours(3.6e12, batch=4e6, critical=4e6, step_seconds=1.0)
    500.0
    """
    steps = data / critical * float(extra_steps(batch, critical))
    return steps * _positive(step_seconds) / HOUR


def _positive(value: float) -> float:
    if not 0 < value < np.inf:
        raise UsageError(f"a batch and a time of a step are positive and finite; got {value:g}.")
    return value
