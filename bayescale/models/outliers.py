"""Which runs are outliers: the posterior probability of each, averaged over draws."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from bayescale.models import pointwise
from bayescale.models.model import Model
from bayescale.models.noise import Noise
from bayescale.models.observations import Observations
from bayescale.models.thinning import at_most


def outliers(model: Model, sites: pointwise.Sites, rows: Observations) -> Float[np.ndarray, " run"]:
    """Posterior probability that each run is an outlier.

    What an outlier is the likelihood says: `AbstractLikelihood.outlier_probability`.

    Parameters
    ----------
    model
        The model that was fitted.
    sites
        Draws of all that is sampled or fixed: arrays (draw,), offsets (draw, group), by name.
    rows
        The runs that were fitted: ``model.observe(runs)``.

    Returns
    -------
    array
        One probability a run.
    """
    whole = _noises(model, sites, rows)
    parts = [model.likelihood.outlier_probability(noise, rows.log_loss) for noise in whole]
    return np.concatenate(parts).mean(axis=0)


def expected_outliers(model: Model, sites: pointwise.Sites, rows: Observations) -> float:
    """Fraction of runs that are expected to be outliers if the model is right.

    Parameters
    ----------
    model, sites, rows
        As for `outliers`.
    """
    parts = [
        (len(noise.location), model.likelihood.expected_outliers(noise))
        for noise in _noises(model, sites, rows)
    ]
    return sum(count * part for count, part in parts) / sum(count for count, _ in parts)


def _noises(model: Model, sites: pointwise.Sites, rows: Observations) -> Iterator[Noise]:
    """Noise with arguments (draw, run), a bounded number of draws at a time."""
    for part in pointwise.chunks(sites, rows):
        noise = pointwise.noise_at(model, part, rows)
        yield noise.broadcast((pointwise.size(part), len(rows.log_loss)))


DRAWS = 1000
"""Evenly spaced draws that medians and probabilities are taken over."""


LIKELY = 0.5
"""A run is counted as a likely outlier above this probability."""


def likely_outliers(
    model: Model, sites: pointwise.Sites, rows: Observations
) -> Bool[np.ndarray, " run"]:
    """Which runs are outliers more likely than not, in the order of the rows.

    Parameters
    ----------
    model, sites, rows
        As for `outliers`.
    """
    some = pointwise.take(sites, at_most(pointwise.size(sites), DRAWS))
    return outliers(model, some, rows) > LIKELY


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
    some = pointwise.take(sites, at_most(pointwise.size(sites), DRAWS))
    at = pointwise.fitted(model, some, rows)
    table = runs[[*(r.name for r in model.law.resources), "loss"]].copy()
    table["fitted"] = np.exp(np.median(at.law, axis=0))
    table["residual"] = np.median(at.standardised(rows.log_loss), axis=0)
    table["probability"] = probability = outliers(model, some, rows)
    return table.iloc[np.argsort(-probability, kind="stable")]
