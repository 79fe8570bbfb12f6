"""What a model believes before any run, as a posterior."""

import numpy as np
import xarray as xr

from bayescale.diagnosis import Diagnosis
from bayescale.models.model import Model
from bayescale.posteriors.posterior import Posterior


def prior_posterior(model: Model, *, draws: int = 1000, seed: int = 0) -> Posterior:
    """Draws of a model's prior as a posterior of no runs, which plans and designs like any other.

    Parameters
    ----------
    model
        Law, priors and likelihood, of one group of runs.
    draws
        How many.
    seed
        Of NumPy's generator.
    """
    rng = np.random.default_rng(seed)
    sites = {name: model.priors.table[name].sample(rng, (draws,)) for name in model.free}
    sites |= {name: np.full(draws, value) for name, value in model.fixed.items()}
    everything = model.law.values(model.parameters(sites, np)) | sites
    arrays = {name: (("chain", "draw"), np.asarray(v)[None, :]) for name, v in everything.items()}
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(arrays)})
    before = Diagnosis(warnings=("these are draws of the prior: no run has been seen.",))
    return Posterior(model.law, model, tree, before, {"engine": "prior", "seed": seed})
