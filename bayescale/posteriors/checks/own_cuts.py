"""The gate on what a table's own larger runs say of the law (`bayescale.fitting.own_cuts`)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bayescale.diagnosis import Diagnosis

KEY = "own_cuts"
"""Where a posterior's record keeps them."""

MOST_SLOPE = 0.03
"""Mean absolute slope per e-fold above which larger runs than these may not be forecast well: what
one table in six has among those by which the drift was learnt."""


MOST_ERROR = 0.05
"""Error of the log loss, by that slope, above which a point is warned of."""


def mean_slope(cuts: Sequence[Mapping[str, float]]) -> float | None:
    """Mean size of the slopes of the forecasts of a table's own larger runs, error taken off.

    ``mean sqrt(max(slope^2 - error^2, 0))``: of a law that holds it is about a third of the error.
    None without any cut.
    """
    if not cuts:
        return None
    return float(np.mean([max(c["slope"] ** 2 - c["error"] ** 2, 0.0) ** 0.5 for c in cuts]))


def judge_own_cuts(record: Mapping[str, Any]) -> Diagnosis:
    """Say how wrong forecasts of the table's own larger runs were; warn where very."""
    cuts = record.get(KEY, ())
    slope = mean_slope(cuts)
    if slope is None:
        return Diagnosis()
    reach = max(cut["distance"] for cut in cuts)
    told = (
        f"the table's own larger runs, forecast from its smaller ones at {len(cuts)} cuts up to "
        f"{np.exp(reach):.2g} times beyond, came out {slope:.1%} off for every e-fold beyond, what "
        "chance explains taken off"
    )
    if slope <= MOST_SLOPE:
        return Diagnosis(notes=(f"{told}.",))
    return Diagnosis(
        warnings=(
            f"{told}: more than most laws on most tables ({MOST_SLOPE:.0%}), so forecasts of "
            "larger runs than these may be as wrong; see `bayescale.calibrate` (bayescale "
            "calibrate), or make runs in between.",
        )
    )


def judge_points(record: Mapping[str, Any], multiple: np.ndarray | None) -> Diagnosis:
    """Warn of points as far beyond the runs as the table's own cuts say a law is badly off.

    Parameters
    ----------
    record
        Of a posterior.
    multiple
        Multiples of the largest run at which the points lie; None where not known.
    """
    slope = mean_slope(record.get(KEY, ()))
    if slope is None or multiple is None or not multiple.size:
        return Diagnosis()
    off = slope * float(np.log(np.max(multiple)))
    if not off > MOST_ERROR:
        return Diagnosis()
    return Diagnosis(
        warnings=(
            f"by what the table's own larger runs say, the loss of the farthest point may be "
            f"{off:.0%} off; make runs in between first.",
        )
    )
