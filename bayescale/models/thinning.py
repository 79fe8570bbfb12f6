"""Fewer draws, spread evenly: the one rule by which draws are thinned and shared out."""

import numpy as np


def thinned(count: int, wanted: int) -> np.ndarray:
    """Indices of `wanted` draws spread evenly over `count`; of more than there are, repeated."""
    return (np.arange(wanted) * count // max(wanted, 1)) % count


def at_most(count: int, most: int) -> np.ndarray:
    """Indices of `most` draws spread evenly over `count`, or of all where there are fewer."""
    return thinned(count, min(count, most))


def whole_shares(weights: np.ndarray, total: int) -> list[int]:
    """Whole numbers that add up to `total` in the proportion of weights (largest remainders)."""
    exact = np.asarray(weights) / np.sum(weights) * total
    shares = np.floor(exact).astype(int)
    order = np.argsort(shares - exact, kind="stable")
    shares[order[: total - shares.sum()]] += 1
    return shares.tolist()
