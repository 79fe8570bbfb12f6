"""What the table's own larger runs say of a law: fitted below a few cuts, forecast above.

Cheap, for every fit: at a cut the posterior is the Gaussian at its mode, found by the program that
is compiled for the whole table, in which the runs above the cut weigh nothing. `bayescale.
calibrate` is the careful way. The gate reads the result (`bayescale.posteriors.checks.own_cuts`).
"""

import jax
import numpy as np

from bayescale.engines.mode import NoModeFound, find_mode
from bayescale.errors import RunsError
from bayescale.models.density import Density
from bayescale.models.drift import beyond
from bayescale.models.model import Model
from bayescale.models.observations import Observations
from bayescale.models.recipe import recipe_of
from bayescale.runs.cuts import Cut, divide
from bayescale.runs.table import Runs

STARTS = 2
"""Searches of the mode at a cut."""

MOST_RUNS = 5000
"""A longer table is not looked at: each cut would take seconds."""

LEAST_DISTANCE = 0.05
"""In e-folds: a run nearer to those fitted tells nothing of a slope."""

DRAWS = 200
"""Draws of the Gaussian at the mode, which say how sure the law is of its slope."""

SPARE = 4
"""Runs that a cut has below it beyond one a coordinate."""


def own_cuts(model: Model, runs: Runs, *, seed: int) -> list[dict[str, float]]:
    """How wrong a law's forecasts of the larger runs of its own table are.

    Parameters
    ----------
    model
        Of the whole table; those of the smaller runs are made like it.
    runs
        The table.
    seed
        Seed of the starts of the searches.

    Returns
    -------
    list of dict
        For each cut ``at`` (the size at which it lies), ``n_past``, ``n_future``, ``distance``
        (e-folds to the farthest run), ``slope``: log loss less the law's, per e-fold beyond the
        runs, by least squares through 0; and ``error``, the standard deviation that the slope would
        have were the law exact. Empty where a table cannot be cut, its rows depend on
        each other, or groups are pooled.
    """
    sizes = [r.name for r in model.law.sizes]
    if model.pooling is not None or model.likelihood.dependent or not sizes:
        return []
    if len(runs) > MOST_RUNS:
        return []
    try:
        cuts = divide(runs, None, len(model.free) + SPARE)
    except RunsError:
        return []
    rng = np.random.default_rng([seed, 0x0C75])
    with jax.enable_x64(True):
        found = [_at(model, runs, cut, sizes, rng) for cut in cuts]
    return [one for one in found if one is not None]


def _at(
    model: Model, runs: Runs, cut: Cut, sizes: list[str], rng: np.random.Generator
) -> dict[str, float] | None:
    past = recipe_of(model)(runs.select(cut.past))
    density = Density(past)
    whole = past.observe(runs)
    try:
        mode = find_mode(
            density, whole._replace(weight=cut.past.astype(np.float64)), starts=STARTS, rng=rng
        )
    except NoModeFound:
        return None
    logs = {name: whole.log_resources[name] for name in sizes}
    before, after = ({n: log[part] for n, log in logs.items()} for part in (cut.past, cut.future))
    away = beyond(before, after, sizes)
    telling = away > LEAST_DISTANCE
    if not telling.any():
        return None
    rows = Observations(
        {name: log[cut.future][telling][None] for name, log in whole.log_resources.items()}
    )
    steps = rng.standard_normal((DRAWS, density.size)) @ mode.factor.T
    sites = density.constrain(mode.position + np.concatenate([np.zeros_like(steps[:1]), steps]))
    noise = past.noise({name: np.reshape(v, (-1, 1)) for name, v in sites.items()}, rows, np)
    weight = away[telling] / (away[telling] @ away[telling])
    found = (whole.log_loss[cut.future][telling] - noise.location) @ weight
    if not np.all(np.isfinite(found)):
        return None
    scatter = noise.scale[0] ** 2 * weight**2
    return {
        "at": cut.at,
        "n_past": int(cut.past.sum()),
        "n_future": int(cut.future.sum()),
        "distance": float(away.max()),
        "slope": float(found[0]),
        "error": float(np.sqrt(np.var(found[1:]) + np.sum(np.broadcast_to(scatter, weight.shape)))),
    }
