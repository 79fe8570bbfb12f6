"""Quantiles of the prior, to stand beside those of the posterior."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bayescale.models.model import Model
from bayescale.posteriors.prediction import QUANTILES

DRAWS = 4000
"""Draws of the prior: the 5% and 95% quantiles err by about 0.03 prior sd."""


def prior_quantiles(model: Model, names: Sequence[str], seed: int) -> pd.DataFrame:
    """The 5, 50 and 95% quantiles of the prior of parameters and coordinates.

    Parameters
    ----------
    model
        Law, priors and likelihood; of groups, the population's.
    names
        Parameters of the law, coordinates or noise parameters.
    seed
        Seed of the draws.

    Returns
    -------
    pandas.DataFrame
        Index: parameter. Columns: prior_q05, prior_q50, prior_q95.
    """
    alone, rng = model.alone(), np.random.default_rng(seed)
    sites = {name: prior.sample(rng, (DRAWS,)) for name, prior in alone.priors.table.items()}
    drawn = alone.law.values(alone.parameters(sites, np)) | sites
    rows = {
        name: {f"prior_{key}": np.quantile(drawn[name], level) for key, level in QUANTILES.items()}
        for name in names
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("parameter")
