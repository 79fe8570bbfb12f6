"""How flat the optimum is: the range of sizes that cost little more than the recommended one.

At a budget C the valley of width w holds every N whose risk is at most that of the recommended
choice at ``C/(1 + w)``: to choose such an N costs less than a share w of extra compute.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from bayescale.errors import UsageError
from bayescale.planning.allocation import Optimum, optimum, recommended, risk_at
from bayescale.planning.budget_line import Line
from bayescale.planning.compute_multiplier import smallest
from bayescale.planning.objectives import AbstractObjective
from bayescale.posteriors.abstract import AbstractPosterior

HALVINGS = 50


def valley(
    source: AbstractPosterior,
    line: Line,
    objective: AbstractObjective,
    log_budgets: np.ndarray,
    log_size: np.ndarray,
    optima: Mapping[str, Optimum],
    extra: float,
) -> pd.DataFrame:
    """The range of N at each budget that costs less than a share `extra` of more compute.

    Parameters
    ----------
    source
        A posterior or a stack.
    line
        Where the budget can be spent.
    objective
        What was minimised.
    log_budgets, log_size
        Budgets, and the recommended size at each, (budget,).
    optima
        Of each member at these budgets.
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
    best = source.mix({name: np.exp(one.log_loss) for name, one in optima.items()})
    less = np.maximum(log_budgets - np.log1p(extra), smallest(line))
    poorer = {name: optimum(post, line, less) for name, post in source.members.items()}
    floor = source.mix({name: np.exp(one.log_loss) for name, one in poorer.items()})
    at_less = recommended(source, line, objective, less, poorer)
    allowed = risk_at(source, line, objective, at_less, less, floor)
    if line.sizes:
        ends = _ends_on_grid(source, line, objective, log_budgets, log_size, best, allowed)
    else:
        span = line.span(log_budgets)
        ends = tuple(
            _edge(source, line, objective, log_budgets, log_size, end, best, allowed)
            for end in span
        )
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
    source: AbstractPosterior,
    line: Line,
    objective: AbstractObjective,
    log_budgets: np.ndarray,
    inside: np.ndarray,
    outside: np.ndarray,
    best: np.ndarray,
    allowed: np.ndarray,
) -> np.ndarray:
    """Where the risk passes what is allowed, between a size within and an end of the line."""
    for _ in range(HALVINGS):
        middle = 0.5 * (inside + outside)
        good = risk_at(source, line, objective, middle, log_budgets, best) <= allowed
        inside, outside = np.where(good, middle, inside), np.where(good, outside, middle)
    return inside


def _ends_on_grid(
    source: AbstractPosterior,
    line: Line,
    objective: AbstractObjective,
    log_budgets: np.ndarray,
    log_size: np.ndarray,
    best: np.ndarray,
    allowed: np.ndarray,
) -> tuple[list[float], list[float]]:
    lows, highs = [], []
    for j, log_budget in enumerate(log_budgets):
        sizes = line.allowed(float(log_budget))
        budgets = np.full(sizes.shape, log_budget)
        risks = risk_at(source, line, objective, sizes, budgets, best[:, [j]])
        good = sizes[(risks <= allowed[j]) | (sizes == log_size[j])]
        lows.append(float(good.min()))
        highs.append(float(good.max()))
    return lows, highs
