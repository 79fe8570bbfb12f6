"""A posterior of fewer draws: what is drawn or searched needs no more."""

from dataclasses import replace

import xarray as xr

from bayescale.models.thinning import at_most
from bayescale.posteriors.posterior import Posterior


def thin(posterior: Posterior, most: int) -> Posterior:
    """Join the chains and keep at most `most` evenly spaced draws; verdict and record stay.

    The result is one chain without its runs, so it predicts and plans but is not diagnosed anew.
    """
    names = [str(name) for name in posterior.draws.data_vars]
    joined = {name: posterior.draws[name].to_numpy().reshape(1, -1) for name in names}
    chosen = at_most(joined[names[0]].size, most)
    kept = xr.Dataset({n: (("chain", "draw"), v[:, chosen]) for n, v in joined.items()})
    return replace(posterior, data=xr.DataTree.from_dict({"posterior": kept}))
