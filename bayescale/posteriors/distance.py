"""How far a point lies beyond the runs: one distance and one set of thresholds, for every verb.

The distance of a point is its size over that of the largest run: the largest ratio over each size
of the law and the product of all (N, D and N D, which is compute up to a factor). Within the runs
it is at most 1. The same e-folds are those of the drift (`bayescale.models.drift`).

Beyond `WARN` a forecast is said to be one; beyond `REFUSE` it is refused unless forced. That limit
is a power of ten above the farthest forecast of real runs by which these intervals were ever
checked (3,800 times, in the tables of over-trained models): farther, nothing speaks for them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bayescale.diagnosis import Diagnosis

WARN, REFUSE = 10.0, 1e4
"""Multiples of the largest run."""


def distance(
    seen: Mapping[str, np.ndarray] | None, points: Mapping[str, Any] | pd.DataFrame
) -> np.ndarray | None:
    """Multiple of the largest run at which each point lies, (point,).

    Parameters
    ----------
    seen
        Logarithm of each size of the runs that were fitted, (run,); None where none is known.
    points
        Sizes of the points by name, (point,); those that a plan holds fixed may be absent.

    Returns
    -------
    numpy.ndarray or None
        None where the runs are not known.
    """
    names = [name for name in seen or () if name in points]
    if seen is None or not names:
        return None
    runs = [seen[name] for name in names]
    logs = [np.log(np.asarray(points[name], dtype=np.float64)) for name in names]
    pairs = [*zip(runs, logs, strict=True), (sum(runs), sum(logs))]
    with np.errstate(over="ignore"):  # an infinite distance is refused like any other
        return np.exp(np.max([at - np.max(run) for run, at in pairs], axis=0))


def judge_distance(multiple: np.ndarray | None, sizes: Sequence[str]) -> Diagnosis:
    """The gate's verdict on points at multiples of the largest run, as `distance` gives them."""
    if multiple is None or not multiple.size or not (farthest := float(np.max(multiple))) > WARN:
        return Diagnosis()
    by = f"the farthest point is {farthest:.3g} times the largest run (in "
    by += f"{', '.join(sizes)}" + (" or their product)" if len(sizes) > 1 else ")")
    if farthest > REFUSE:
        return Diagnosis(
            (
                f"{by}, and no interval was ever checked beyond {REFUSE:.0e} times; make runs in "
                "between first.",
            )
        )
    return Diagnosis(
        warnings=(
            f"{by}; the interval holds only if the law does that far, so check it on runs in "
            "between first.",
        )
    )
