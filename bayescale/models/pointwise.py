"""What a model says of each row of a table, draw by draw: NumPy, in chunks of draws.

Sites are arrays (draw,), offsets of groups (draw, group), as `Posterior.sites` gives them.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from bayescale.distributions.families import FAMILIES
from bayescale.models.model import Model
from bayescale.models.noise import Noise
from bayescale.models.observations import Observations

CELLS = 1_000_000
"""Draws times runs held at once, which bounds the memory."""

Sites = Mapping[str, np.ndarray]


class Fitted(NamedTuple):
    """The law and the noise at the runs, draw by draw.

    Parameters
    ----------
    law
        The law's log loss.
    location, scale
        Of observed log loss, given earlier rows of a group where rows depend on each other.
    """

    law: Float[np.ndarray, "draw run"]
    location: Float[np.ndarray, "draw run"]
    scale: Float[np.ndarray, "draw run"]

    def standardised(self, log_loss: np.ndarray) -> Float[np.ndarray, "draw run"]:
        """``(log loss - location)/scale``: independent under the model, also within a group."""
        return (log_loss - self.location) / self.scale


def take(sites: Sites, chosen: Any) -> dict[str, np.ndarray]:
    """The sites at some of the draws."""
    return {name: values[chosen] for name, values in sites.items()}


def size(sites: Sites) -> int:
    """Number of draws."""
    return len(next(iter(sites.values())))


def as_columns(model: Model, sites: Sites) -> dict[str, np.ndarray]:
    """Sites that broadcast with (draw, run)."""
    return {n: v if model.shapes[n] else np.asarray(v)[..., None] for n, v in sites.items()}


def noise_at(model: Model, sites: Sites, rows: Observations) -> Noise:
    """Distribution of log loss at rows; its arguments broadcast with (draw, run)."""
    return model.noise(as_columns(model, sites), rows, np)


def fitted(model: Model, sites: Sites, rows: Observations) -> Fitted:
    """Law, location and scale at rows."""
    shape = (size(sites), np.shape(rows.log_loss)[-1])
    noise = noise_at(model, sites, rows)
    new = noise_at(model, sites, rows._replace(log_loss=None))  # of new runs only the law is known
    parts = (new.location, noise.location, noise.scale)
    return Fitted(*(np.broadcast_to(part, shape) for part in parts))


def log_likelihood(model: Model, sites: Sites, rows: Observations) -> Float[np.ndarray, "draw run"]:
    """Log density of each run's log loss, given earlier rows of its group."""
    from bayescale.models.density import Density

    density = Density(model)
    return over_draws(lambda part: density.log_likelihood(part, rows, np), sites, rows)


def replicate(
    model: Model, sites: Sites, rows: Observations, rng: np.random.Generator
) -> Float[np.ndarray, "draw run"]:
    """Log losses of new tables of the same runs, one a draw.

    Where rows depend on each other, the first rows of all groups are drawn at once, then the
    second ones given those, and so on.
    """
    shape = (size(sites), np.shape(rows.log_loss)[-1])
    if not model.likelihood.dependent:
        return noise_at(model, sites, rows).sample(rng, shape)
    log_loss = np.zeros(shape)
    rank = np.empty(shape[1], dtype=int)
    rank[rows.columns["order"]] = np.arange(shape[1]) - rows.columns["start"]
    for place in range(rank.max() + 1):
        noise = noise_at(model, sites, rows._replace(log_loss=log_loss))
        here = np.flatnonzero(rank == place)
        log_loss[:, here] = noise.broadcast(shape, here).sample(rng, (shape[0], len(here)))
    return log_loss


def log_prior(model: Model, sites: Sites) -> Float[np.ndarray, " draw"]:
    """Log prior density on the scale on which is sampled, up to nothing."""
    from bayescale.models.density import Density

    density = Density(model)
    position = density.unconstrain({name: sites[name] for name in model.free})
    return np.asarray(density.log_prior(position, sites, np))


def real(model: Model, name: str, values: np.ndarray) -> np.ndarray:
    """Values of a site on the real line of its prior's support."""
    prior = model.priors.table[name]
    return FAMILIES[prior.family].support(**prior.arguments).to_real(values, np)


def over_draws(
    function: Callable[[dict[str, np.ndarray]], Any], sites: Sites, rows: Observations
) -> np.ndarray:
    """Join a function's arrays (draw, run) over chunks of draws."""
    return np.concatenate([np.asarray(function(part)) for part in chunks(sites, rows)])


def chunks(sites: Sites, rows: Observations) -> Iterator[dict[str, np.ndarray]]:
    """The sites, a bounded number of draws at a time."""
    step = max(1, CELLS // max(np.shape(rows.log_loss)[-1], 1))
    for start in range(0, size(sites), step):
        yield take(sites, slice(start, start + step))
