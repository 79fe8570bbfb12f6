"""Which runs are outliers: the posterior probability of each, averaged over draws."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from bayescale import _pointwise as pointwise
from bayescale.likelihood import Noise
from bayescale.model import Model
from bayescale.observations import Observations


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
        (len(noise.arguments["mu"]), model.likelihood.expected_outliers(noise))
        for noise in _noises(model, sites, rows)
    ]
    return sum(count * part for count, part in parts) / sum(count for count, _ in parts)


def _noises(model: Model, sites: pointwise.Sites, rows: Observations) -> Iterator[Noise]:
    """Noise with arguments (draw, run), a bounded number of draws at a time."""
    for part in pointwise.chunks(sites, rows):
        noise = pointwise.noise_at(model, part, rows)
        shape = (pointwise.size(part), len(rows.log_loss))
        whole = {name: np.broadcast_to(value, shape) for name, value in noise.arguments.items()}
        yield Noise(noise.family, whole)
