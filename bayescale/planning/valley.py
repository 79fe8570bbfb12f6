"""How flat the optimum is: the range of sizes that cost little more than the recommended one.

At a budget C the valley of width w holds every N whose risk is at most that of the recommended
choice at ``C/(1 + w)``: to choose such an N costs less than a share w of extra compute.
"""

import numpy as np
import pandas as pd

from bayescale.errors import UsageError
from bayescale.planning.compute_multiplier import smallest
from bayescale.planning.frontier import Frontier
from bayescale.planning.objectives import AbstractObjective

HALVINGS = 50


def valley(
    frontier: Frontier, objective: AbstractObjective, log_size: np.ndarray, extra: float
) -> pd.DataFrame:
    """The range of N at each budget that costs less than a share `extra` of more compute.

    Parameters
    ----------
    frontier
        The optimum at the budgets.
    objective
        What was minimised.
    log_size
        The recommended size at each budget, (budget,).
    extra
        Share of compute, such as 0.01.

    Returns
    -------
    pandas.DataFrame
        Index: compute. Columns: N_low, N, N_high (the range and the recommended), D_low, D_high
        (the data that go with the ends of N; D_low with N_high), extra.

    Raises
    ------
    UsageError
        If `extra` is not a positive share.
    """
    if not 0 < extra < np.inf:
        raise UsageError(f"extra is a positive share of compute, such as 0.01; got {extra:g}.")
    line, log_budgets = frontier.line, frontier.log_budgets
    poorer = frontier.at(np.maximum(log_budgets - np.log1p(extra), smallest(line)))
    allowed = poorer.risk(objective, poorer.recommended(objective))
    if line.sizes:
        ends = _ends_on_grid(frontier, objective, log_size, allowed)
    else:
        span = line.span(log_budgets)
        ends = tuple(_edge(frontier, objective, log_size, end, allowed) for end in span)
    low, high = (np.asarray(end) for end in ends)
    return pd.DataFrame(
        {
            "N_low": np.exp(low),
            "N": np.exp(log_size),
            "N_high": np.exp(high),
            "D_low": np.exp(line.log_data(high, log_budgets)),
            "D_high": np.exp(line.log_data(low, log_budgets)),
            "extra": extra,
        },
        index=pd.Index(np.exp(log_budgets), name="compute"),
    )


def _edge(
    frontier: Frontier,
    objective: AbstractObjective,
    inside: np.ndarray,
    outside: np.ndarray,
    allowed: np.ndarray,
) -> np.ndarray:
    """Where the risk passes what is allowed, between a size within and an end of the line."""
    for _ in range(HALVINGS):
        middle = 0.5 * (inside + outside)
        good = frontier.risk(objective, middle) <= allowed
        inside, outside = np.where(good, middle, inside), np.where(good, outside, middle)
    return inside


def _ends_on_grid(
    frontier: Frontier, objective: AbstractObjective, log_size: np.ndarray, allowed: np.ndarray
) -> tuple[list[float], list[float]]:
    lows, highs = [], []
    for j in range(len(log_size)):
        sizes = frontier.allowed(j)
        risks = frontier.risk(objective, sizes, j)
        good = sizes[(risks <= allowed[j]) | (sizes == log_size[j])]
        lows.append(float(good.min()))
        highs.append(float(good.max()))
    return lows, highs
