"""Divisions of a table into past and future, in the order of compute."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayescale.errors import RunsError
from bayescale.runs.table import Runs

QUANTILES = (0.4, 0.5, 0.6, 0.7, 0.8)
"""Where the cuts lie by default, as quantiles of the runs in the order of compute."""

LEAST_TEST = 3
"""Runs that must lie beyond a cut."""


@dataclass(frozen=True)
class Cut:
    """One division of a table into past and future.

    Parameters
    ----------
    at
        The size at which it lies: runs below were fitted.
    past, future
        Masks of rows, (run,).
    reach
        Largest future size over largest past size.
    """

    at: float
    past: np.ndarray
    future: np.ndarray
    reach: float


def sizes(runs: Runs) -> np.ndarray:
    """What orders a table in time: compute, or the product of the resources that it has.

    Rows of one run count as one, at the largest size among them.
    """
    if "C" in runs.table:
        size = runs.column("C").astype(np.float64)
    else:
        names = runs.resources
        if not names:
            raise RunsError(
                f"{runs.name}: no column N, D or C by which to order the runs; add one."
            )
        size = np.prod([runs.column(name).astype(np.float64) for name in names], axis=0)
    return (
        runs.table.assign(size=size).groupby("run", sort=False)["size"].transform("max").to_numpy()
    )


def divide(
    runs: Runs, cuts: Sequence[float] | None, least_past: int, order: np.ndarray | None = None
) -> tuple[Cut, ...]:
    """Cuts of a table, each with enough runs on both sides.

    Parameters
    ----------
    runs
        The table.
    cuts
        Sizes at which to cut; at quantiles of the runs by default.
    least_past
        Runs that must lie below a cut.
    order
        Size of each row, instead of what `sizes` gives.

    Raises
    ------
    RunsError
        If a given cut leaves too few runs on a side, or no default cut is possible.
    """
    size = sizes(runs) if order is None else order
    given = cuts is not None
    wanted = cuts if cuts is not None else np.unique(np.quantile(size, QUANTILES, method="higher"))
    found: list[Cut] = []
    for at in wanted:
        past, future = size < at, size >= at
        few = past.sum() < least_past or future.sum() < LEAST_TEST
        if few and given:
            raise RunsError(
                f"{runs.name}: the cut at {at:.4g} leaves {past.sum()} runs below and "
                f"{future.sum()} above; at least {least_past} and {LEAST_TEST} are needed, so "
                "choose another cut."
            )
        if not few:
            reach = float(size[future].max() / size[past].max())
            found.append(Cut(float(at), past, future, reach))
    if not found:
        raise RunsError(
            f"{runs.name}: {len(runs)} runs are too few to leave the future out; at least "
            f"{least_past} must lie below a cut and {LEAST_TEST} above it."
        )
    return tuple(found)
