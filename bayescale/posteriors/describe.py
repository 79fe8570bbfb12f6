"""Mean, quantiles and convergence of any quantity that was drawn."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bayescale.diagnosis import TAIL_PROB
from bayescale.posteriors.prediction import QUANTILES


def describe(
    quantities: Mapping[str, np.ndarray], importance_ess: float | None = None
) -> pd.DataFrame:
    """One row a quantity: mean, sd, q05, q50, q95, r_hat, ess_bulk, ess_tail.

    Parameters
    ----------
    quantities
        By name, (chain, draw).
    importance_ess
        ESS of the importance weights of independent draws, whose R-hat is not defined.
    """
    rows = {}
    for name, values in quantities.items():
        sd = values.std(ddof=1) if values.size > 1 else np.nan
        row = {"mean": values.mean(), "sd": sd}
        row |= {key: np.quantile(values, level) for key, level in QUANTILES.items()}
        rows[name] = row | _convergence(values, importance_ess)
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("parameter")


def _convergence(values: np.ndarray, importance_ess: float | None) -> dict[str, float]:
    constant = bool(np.ptp(values) == 0)
    if importance_ess is not None and not constant:
        return {"r_hat": np.nan, "ess_bulk": importance_ess, "ess_tail": importance_ess}
    if constant or values.shape[0] < 2:
        return {"r_hat": np.nan, "ess_bulk": np.nan, "ess_tail": np.nan}
    from arviz_stats.base import array_stats

    stats: Any = array_stats  # what its functions return depends on the shape
    return {
        "r_hat": float(stats.rhat(values)),
        "ess_bulk": float(stats.ess(values, method="bulk")),
        "ess_tail": float(stats.ess(values, method="tail", prob=TAIL_PROB)),
    }
