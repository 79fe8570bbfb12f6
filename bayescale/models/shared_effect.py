"""Noise models in which rows share something: a run, a configuration, an order of the data.

All are one construction. Within a group the residual ``e_k = log loss_k - log L_k`` is a common
effect ``u ~ Normal(0, tau)`` and a Markov part,

    e_k = c_k + f_k u + d_k z_k ,    z_k ~ standard Student-t(nu) or Normal,

where ``c_k`` is what a few rows before carry over, ``c_k = rho_k e_{k-1}`` and ``f_k = 1 - rho_k``
for one of them, and u is integrated out by the chain rule: each row is conditioned on the rows
before it. With ``h_k = f_k/d_k``, ``w_k = (e_k - c_k)/d_k`` and ``P_k = 1/tau^2 + sum_{j<k} h_j^2``
the conditional location and scale are

    c_k + f_k sum_{j<k} h_j w_j / P_k ,    d_k sqrt(1 + h_k^2 / P_k).

For Normal z this is the exact marginal density, in whatever order; for Student-t z it defines the
model, whose rows have heavy tails around a linear prediction from the rows before. The prediction
stays linear because only then is a shift of a whole group taken for its effect in full: weights
that fall with the size of a residual leave part of it in every row, and many rows then claim to
know the law from one group. The cost is that of two cumulative sums.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pandas as pd

from bayescale.distributions.prior import Prior
from bayescale.errors import RunsError
from bayescale.models.likelihood import NU, SIGMA, AbstractLikelihood, student_t
from bayescale.models.noise import Noise
from bayescale.models.observations import Observations
from bayescale.runs.table import Runs
from theory.declaration.namespace import ArrayNamespace, Environment, Numeric

EFFECT = Prior.around(0.01, 0.7)
"""Standard deviation of the effect that the rows of a group share, in log loss."""


def grouped(group: np.ndarray, *times: np.ndarray) -> dict[str, np.ndarray]:
    """How rows follow each other within groups, as index arrays (run,).

    Parameters
    ----------
    group
        Label of each row's group.
    *times
        Rows of a group follow each other by the first of these, then by the next.

    Returns
    -------
    dict
        ``order`` sorts the rows by group and time and ``back`` undoes that; in that order,
        ``start`` is the position of the group's first row and ``previous`` of the row before
        (itself where there is none, ``first`` = 1).
    """
    codes = pd.factorize(group)[0]
    order = np.lexsort((*times[::-1], codes))
    first = np.append(True, np.diff(codes[order]) != 0)
    start = np.maximum.accumulate(np.where(first, np.arange(len(codes)), 0))
    return {
        "order": order,
        "back": np.argsort(order),
        "start": start,
        "previous": np.arange(len(codes)) - ~first,
        "first": first.astype(np.float64),
    }


class Markov(NamedTuple):
    """What a row takes from those before it, in the order of groups: arrays (..., run).

    Parameters
    ----------
    carried
        ``c_k``, the part of the residual that earlier residuals of the group carry over.
    fresh
        ``f_k``, the factor of the common effect that is not in it yet.
    scale
        ``d_k``, of the innovation.
    """

    carried: Any
    fresh: Any
    scale: Any


def in_order(values: Any, mean: Any, rows: Observations) -> Any:
    """Values, of each row or of all, in the order of `grouped` and the shape of the mean."""
    return (values + 0.0 * mean)[..., rows.columns["order"]]


def conditional(
    mean: Any, rows: Observations, ops: ArrayNamespace, *, markov: Markov, parameters: Environment
) -> Noise:
    """Distribution of each row given the rows of its group before it.

    Parameters
    ----------
    mean
        The law's log loss, (..., run).
    rows
        With the columns of `grouped`.
    ops
        Array namespace.
    markov
        The Markov part.
    parameters
        ``effect``, the standard deviation of u, and ``nu``.
    """
    order, start, back = (rows.columns[name] for name in ("order", "start", "back"))
    carried, fresh, scale = markov
    residual = in_order(rows.log_loss - mean, mean, rows)
    gain, moved = fresh / scale, (residual - carried) / scale
    precision = parameters["effect"] ** -2.0 + _sum_before(gain**2 + 0.0 * moved, start, ops)
    pulled = _sum_before(gain * moved, start, ops)
    location = mean[..., order] + carried + fresh * pulled / precision
    spread = scale * ops.sqrt(1.0 + gain**2 / precision)
    return student_t(location[..., back], spread[..., back], parameters)


def _sum_before(values: Any, start: Numeric, ops: ArrayNamespace) -> Any:
    """Sum over the earlier rows of the same group."""
    exclusive = ops.cumsum(values, axis=-1) - values
    return exclusive - exclusive[..., start]


def _labels(runs: Runs, name: str) -> np.ndarray:
    """A column as text.

    Raises
    ------
    RunsError
        If it is absent, or a row has no entry.
    """
    labels = runs.column(name)
    if np.any(empty := pd.isna(labels)):
        row = int(np.flatnonzero(empty)[0])
        raise RunsError(
            f"{runs.name}: column '{name}' says which rows belong together, but row {row + 1} has "
            "no entry; give it one of its own if it shares nothing."
        )
    return labels.astype(str)


@dataclass(frozen=True)
class SharedEffect(AbstractLikelihood):
    """Rows of a group share an effect, ``effect``; ``sigma`` is what each has alone."""

    dependent: ClassVar[bool] = True

    def priors(self) -> dict[str, Prior]:
        """``effect ~ LogNormal(ln 0.01, 0.7)``; ``sigma`` and ``nu`` as for Student-t."""
        return {"sigma": SIGMA, "nu": NU, "effect": EFFECT}

    def noise(
        self, log_loss: Numeric, parameters: Environment, rows: Observations, ops: ArrayNamespace
    ) -> Noise:
        """Given earlier rows of the group; for a new run both parts together."""
        sigma, effect = parameters["sigma"], parameters["effect"]
        if rows.log_loss is None:
            return student_t(log_loss, ops.sqrt(sigma**2 + effect**2), parameters)
        markov = Markov(0.0, 1.0, in_order(sigma, log_loss, rows))
        return conditional(log_loss, rows, ops, markov=markov, parameters=parameters)
