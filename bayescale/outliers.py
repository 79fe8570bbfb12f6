"""Which runs are outliers: the posterior probability of each, averaged over draws."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from bayescale.likelihood import Noise
from bayescale.model import Model
from bayescale.observations import Observations

CELLS = 1_000_000
"""Draws times runs evaluated at once, which bounds the memory."""


def outliers(
    model: Model, sites: Mapping[str, Any], rows: Observations
) -> Float[np.ndarray, " run"]:
    """Posterior probability that each run is an outlier.

    What an outlier is the likelihood says: `AbstractLikelihood.outlier_probability`.

    Parameters
    ----------
    model
        The model that was fitted.
    sites
        Draws of all that is sampled or fixed: arrays (...,), offsets (..., group), by name.
    rows
        The runs that were fitted: ``model.observe(runs)``.

    Returns
    -------
    array
        One probability a run.
    """
    total = np.zeros(len(rows.log_loss))
    for draws, noise in _chunks(model, sites, rows):
        total += draws * model.likelihood.outlier_probability(noise, rows.log_loss).mean(axis=0)
    return total / _count(model, sites)


def expected_outliers(model: Model, sites: Mapping[str, Any], rows: Observations) -> float:
    """Fraction of runs that are expected to be outliers if the model is right.

    Parameters
    ----------
    model, sites, rows
        As for `outliers`.
    """
    parts = [
        draws * model.likelihood.expected_outliers(noise)
        for draws, noise in _chunks(model, sites, rows)
    ]
    return float(sum(parts) / _count(model, sites))


def _count(model: Model, sites: Mapping[str, Any]) -> int:
    return next(np.size(sites[n]) for n, shape in model.shapes.items() if shape == ())


def _chunks(model: Model, sites: Mapping[str, Any], rows: Observations) -> Any:
    """Number of draws and noise with arguments (draw, run), a bounded number of draws at a time."""
    columns = {
        name: np.asarray(sites[name], dtype=np.float64).reshape(-1, *(shape or (1,)))
        for name, shape in model.shapes.items()
    }
    count, step = _count(model, sites), max(1, CELLS // len(rows.log_loss))
    for first in range(0, count, step):
        part = {name: values[first : first + step] for name, values in columns.items()}
        noise: Noise = model.noise(part, rows, np)
        whole = {
            name: np.broadcast_to(value, (min(step, count - first), len(rows.log_loss)))
            for name, value in noise.arguments.items()
        }
        yield min(step, count - first), Noise(noise.family, whole)
