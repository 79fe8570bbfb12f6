"""A posterior of fewer draws: a drawn quantile needs no more."""

from dataclasses import replace

import xarray as xr

from bayescale.posterior import Posterior


def thin(posterior: Posterior, most: int) -> Posterior:
    """Join the chains and keep at most `most` evenly spaced draws; verdict and record stay.

    The result is one chain without its runs, so it predicts and plans but is not diagnosed anew.
    """
    names = [str(name) for name in posterior.draws.data_vars]
    joined = {name: posterior.draws[name].to_numpy().reshape(1, -1) for name in names}
    step = -(-joined[names[0]].size // max(most, 1))
    kept = xr.Dataset({n: (("chain", "draw"), v[:, ::step]) for n, v in joined.items()})
    return replace(posterior, data=xr.DataTree.from_dict({"posterior": kept}))
