"""Which runs could be made next: a grid, an isoFLOP grid, or a table of the user's."""

import math
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import pandas as pd
from jaxtyping import Float

from bayescale.cost import AbstractCost
from bayescale.errors import UsageError
from bayescale.runs.table import Runs
from theory.declaration.symbols import D, N

DECADES = 3.0
"""The cheapest candidate costs so many decades less than the dearest."""

RATIOS = (0.5, 700.0)
"""Tokens a parameter, from the fewest to the most."""

LEVELS, COLUMNS = 16, 24
"""Costs and ratios of the grid."""

ISOFLOP_LEVELS, ISOFLOP_POINTS = 5, 7
USUAL, WIDE = 1.2, 1.8
"""An isoFLOP grid: budgets, sizes at each, and how far in ln N these reach from the optimum."""

HALVINGS = 80


def grid(
    cost: AbstractCost,
    dearest: float,
    *,
    ratios: tuple[float, float] = RATIOS,
    size_cap: float = math.inf,
    data_cap: float = math.inf,
) -> pd.DataFrame:
    """Candidates on a grid of costs and tokens a parameter.

    Parameters
    ----------
    cost
        A cost in N and D.
    dearest
        The most that a run may cost, in FLOP.
    ratios
        Fewest and most tokens a parameter.
    size_cap, data_cap
        Largest N and D.

    Returns
    -------
    pandas.DataFrame
        Columns N, D and cost (FLOP).

    Raises
    ------
    UsageError
        If the caps leave no candidate.
    """
    levels = np.geomspace(dearest / 10**DECADES, dearest, LEVELS)
    columns = np.geomspace(*ratios, COLUMNS)
    log_cost, log_ratio = (
        a.ravel() for a in np.meshgrid(np.log(levels), np.log(columns), indexing="ij")
    )
    log_size = _size_of(cost, log_cost, log_ratio)
    inside = (log_size >= 0.0) & (log_size + log_ratio >= 0.0)
    inside &= (log_size <= math.log(size_cap)) & (log_size + log_ratio <= math.log(data_cap))
    if not inside.any():
        raise UsageError(
            f"no run of at most {dearest:.3g} FLOP with {ratios[0]:g} to {ratios[1]:g} tokens a "
            f"parameter has N up to {size_cap:g} and D up to {data_cap:g}; raise a cap or the "
            "budget, or give candidates of your own."
        )
    table = {"N": np.exp(log_size[inside]), "D": np.exp((log_size + log_ratio)[inside])}
    return pd.DataFrame(table | {"cost": np.exp(log_cost[inside])})


def isoflop(
    cost: AbstractCost, budget: float, log_optimum: Mapping[str, np.ndarray], reach: float
) -> pd.DataFrame:
    """The usual way to spend a budget: a few budgets, and at each some sizes around the optimum.

    Budgets are half a decade apart, and the whole grid costs `budget`.

    Parameters
    ----------
    cost
        A cost in N and D.
    budget
        What all runs together cost.
    log_optimum
        Log compute, ascending, and log N of the optimum there, by ``compute`` and ``N``.
    reach
        How far sizes go from the optimum, in ln N, to either side.
    """
    shares = 10.0 ** (-0.5 * np.arange(ISOFLOP_LEVELS))
    levels = budget / ISOFLOP_POINTS * shares / shares.sum()
    rows = []
    for level in levels:
        centre = np.interp(math.log(level), log_optimum["compute"], log_optimum["N"])
        log_size = centre + np.linspace(-reach, reach, ISOFLOP_POINTS)
        log_data = math.log(level) - cost.log_token(log_size)
        rows.append(
            pd.DataFrame({"N": np.exp(log_size), "D": np.exp(log_data), "cost": float(level)})
        )
    return pd.concat(rows, ignore_index=True)


def given(table: Any, cost: AbstractCost, resources: tuple[str, ...]) -> pd.DataFrame:
    """Candidates of the user's: a table with the law's resources, and the cost where it differs.

    Raises
    ------
    UsageError
        If a column is missing, or an entry is not a positive number.
    """
    frame = table.table if isinstance(table, Runs) else pd.DataFrame(table)
    if missing := [name for name in resources if name not in frame]:
        raise UsageError(
            f"the candidates have no column {', '.join(missing)}; they have "
            f"{', '.join(map(str, frame.columns)) or 'none'}, and need {', '.join(resources)}."
        )
    if frame.empty:
        raise UsageError("there are no candidates; give at least one row.")
    names = [*resources, *(["cost"] if "cost" in frame else [])]
    out = pd.DataFrame({n: _positive(cast(pd.Series, frame[n]), n) for n in names})
    if "cost" not in out:
        logs = {name: np.log(out[name].to_numpy()) for name in resources}
        out["cost"] = np.exp(cost.log_cost(logs))
    return out


def _positive(column: pd.Series, name: str) -> np.ndarray:
    values = cast(pd.Series, pd.to_numeric(column, errors="coerce")).to_numpy(np.float64)
    wrong = ~(np.isfinite(values) & (values > 0))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise UsageError(
            f"column '{name}' of the candidates must hold positive numbers; row {row + 1} has "
            f"{column.iloc[row]!r}."
        )
    return values


def _size_of(
    cost: AbstractCost, log_cost: Float[np.ndarray, " point"], log_ratio: np.ndarray
) -> np.ndarray:
    """Log N at a cost and a ratio D/N, by halving: the cost rises with N."""
    low, high = np.full_like(log_cost, -50.0), log_cost.copy()
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        spent = cost.log_cost({N.name: middle, D.name: middle + log_ratio})
        low, high = (
            np.where(spent > log_cost, low, middle),
            np.where(spent > log_cost, middle, high),
        )
    return 0.5 * (low + high)
