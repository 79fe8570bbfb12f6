"""How far each run lies from the fitted law, and whether it is an outlier."""

import numpy as np
import pandas as pd

from bayescale import _pointwise as pointwise
from bayescale.model import Model
from bayescale.observations import Observations
from bayescale.outliers import outliers

DRAWS = 1000
"""Evenly spaced draws that medians and probabilities are taken over."""

LIKELY = 0.5
"""A run is counted as a likely outlier above this probability."""


def outlier_table(
    model: Model, sites: pointwise.Sites, rows: Observations, runs: pd.DataFrame
) -> pd.DataFrame:
    """Resources, loss, fitted loss, residual and outlier probability of each run.

    Parameters
    ----------
    model
        Law, priors and likelihood.
    sites
        Draws of what was sampled.
    rows
        What the model sees of the runs.
    runs
        The runs themselves, with the law's resources and loss.
    """
    some = pointwise.take(sites, pointwise.evenly(pointwise.size(sites), DRAWS))
    at = pointwise.fitted(model, some, rows)
    table = runs[[*(r.name for r in model.law.resources), "loss"]].copy()
    table["fitted"] = np.exp(np.median(at.law, axis=0))
    table["residual"] = np.median(at.standardised(rows.log_loss), axis=0)
    table["probability"] = probability = outliers(model, some, rows)
    return table.iloc[np.argsort(-probability, kind="stable")]
