"""Fewer draws, evenly spaced: the one rule by which draws are thinned and shared out."""

from dataclasses import replace

import numpy as np
import xarray as xr

from bayescale.posteriors.posterior import Posterior


def whole_shares(weights: np.ndarray, total: int) -> list[int]:
    """Whole numbers that add up to `total` in the proportion of weights (largest remainders)."""
    exact = np.asarray(weights) / np.sum(weights) * total
    shares = np.floor(exact).astype(int)
    order = np.argsort(shares - exact, kind="stable")
    shares[order[: total - shares.sum()]] += 1
    return shares.tolist()


def thinned(count: int, wanted: int) -> np.ndarray:
    """Indices of `wanted` draws spread evenly over `count`."""
    return (np.arange(wanted) * count // max(wanted, 1)) % count


def thin(posterior: Posterior, most: int) -> Posterior:
    """Join the chains and keep at most `most` evenly spaced draws; verdict and record stay.

    The result is one chain without its runs, so it predicts and plans but is not diagnosed anew.
    """
    names = [str(name) for name in posterior.draws.data_vars]
    joined = {name: posterior.draws[name].to_numpy().reshape(1, -1) for name in names}
    step = -(-joined[names[0]].size // max(most, 1))
    kept = xr.Dataset({n: (("chain", "draw"), v[:, ::step]) for n, v in joined.items()})
    return replace(posterior, data=xr.DataTree.from_dict({"posterior": kept}))
