"""Sizes that follow each other in all runs, so that their exponents cannot be told apart."""

from collections.abc import Iterator, Mapping
from itertools import combinations

import numpy as np

ON_A_LINE = 0.01
"""Two sizes follow each other where the logarithm of one is a line in that of the other to within
this standard deviation."""


def followers(logs: Mapping[str, np.ndarray]) -> Iterator[tuple[str, str, float]]:
    """Pairs of sizes of which the second is a power of the first, with that power.

    Examples
    --------
    >>> log = np.linspace(0.0, 3.0, 5)
    >>> [*followers({"N": log, "D": 2 * log + 1, "C": log**2})]
    [('N', 'D', 2.0)]
    """
    for one, other in combinations(logs, 2):
        x, y = (np.asarray(logs[name]) - np.mean(logs[name]) for name in (one, other))
        slope = float(x @ y / (x @ x)) if x.any() else 0.0
        if x.any() and y.any() and np.std(y - slope * x) < ON_A_LINE:
            yield one, other, slope


def told(one: str, other: str, slope: float) -> str:
    """What follows from a pair of followers, and what to do."""
    return (
        f"{other} follows {one} in all runs ({other} ~ {one}^{slope:.2f}), so their exponents are "
        f"told apart by the prior alone and no optimal ratio is found; add runs at another "
        f"{other}/{one}."
    )
