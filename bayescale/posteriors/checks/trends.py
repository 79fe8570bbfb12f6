"""Do the residuals follow a resource? A score test of trends that the law cannot absorb.

With the score of a run, ``psi_i = scale_i d log p(log loss_i)/d location_i`` (its residual in noise
scales for a Normal; for a Student-t an outlier counts for little, as it does in the fit), and a
unit vector q over the runs,

    T(q) = sum_i q_i psi_i .

q is ``log R``, its square, or a product of two logarithms, less its projection on the constant and
on the directions in which the law's coordinates move location/scale. A law absorbs a trend along
those by fitting it, so that only what is left can show that the law is wrong; without the
projection the p-value would be near one half for a wrong law too (Bayarri and Berger 2000). T is
compared with its posterior predictive distribution under the model's own noise: a sum of many
independent terms of mean zero, hence Gaussian of variance ``sum_i q_i^2 var(psi_i)``, where the
variance of a score is simulated. A trend of ``a q_i`` scales gives ``T = a var(psi)``, hence its
size (Rao 1948).
"""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.special import ndtr

from bayescale.diagnosis import Diagnosis
from bayescale.models import pointwise
from bayescale.models.model import Model
from bayescale.models.noise import Noise
from bayescale.models.observations import Observations
from bayescale.models.thinning import at_most
from bayescale.posteriors.posterior import Posterior

DRAWS = 2000
"""Evenly spaced draws, each with one simulated table. The p-value is a mean over them of what
varies by orders of magnitude; of 300 it turned with the seed about the gate's threshold."""

STEP = 1e-3
"""Step of the derivative by location, in scales."""

ABSORBED = 0.05
"""A direction in which the posterior variance of location/scale exceeds this is the law's own; for
a direction that the data determine it is 1."""

LEFT = 0.02
"""A trend of which the law leaves less than this fraction of its variance is not tested."""

MAX_P, MIN_SIZE = 0.01, 0.25
"""A trend is told below this p-value (times the number of trends) above this size, in scales."""

ALLOWED = 0.9
"""The chance with which the drift of a forecast is as small as what is said to be allowed for."""


def residual_trends(posterior: Posterior, *, seed: int = 0) -> pd.DataFrame:
    """Test the residuals for trends in the logarithms of the resources that the law cannot absorb.

    Parameters
    ----------
    posterior
        Fitted to runs.
    seed
        Seed of the simulated tables.

    Returns
    -------
    pandas.DataFrame
        One row a trend (``log N``, ``log N squared``, ``log N x log D``, ...): ``size`` (root
        mean square over the runs, in noise scales), ``largest`` (largest effect on a run, as a
        fraction of its loss), ``left`` (the part of the trend's variance that the law cannot
        absorb; those it absorbs are left out) and the posterior predictive ``p``.

    Raises
    ------
    UsageError
        If the draws came without a likelihood or without runs.
    """
    model, rows = posterior.fitted_model
    return trends_of(model, posterior.sites, rows, seed=seed)


def trends_of(
    model: Model, sites: pointwise.Sites, rows: Observations, *, seed: int = 0
) -> pd.DataFrame:
    """Test standardised residuals for trends in the logarithm of each resource.

    Parameters
    ----------
    model
        Law, priors and likelihood.
    sites
        Draws of what was sampled.
    rows
        What the model sees of the runs.
    seed
        Seed of the simulated tables.

    Returns
    -------
    pandas.DataFrame
        Index: ``log N``, ``log N squared``, ``log N x log D``, ... Columns: ``size`` (root mean
        square of the trend over the runs, in noise scales), ``largest`` (its largest effect on a
        run, as a fraction of the loss), ``left`` (the fraction of the trend's variance that the
        law cannot absorb) and ``p``. Empty with too few runs.
    """
    some = pointwise.take(sites, at_most(pointwise.size(sites), DRAWS))
    at = pointwise.fitted(model, some, rows)
    count = len(rows.log_loss)
    base = _absorbed(model, sites, rows)
    columns = ["size", "largest", "left", "p"]
    if count < base.shape[1] + 3:
        return pd.DataFrame(columns=columns, dtype=float).rename_axis("trend")
    noise = pointwise.noise_at(model, some, rows)
    scores = score(noise, rows.log_loss)
    again = score(noise, noise.sample(np.random.default_rng(seed), at.location.shape))
    variance = again.var(axis=0)
    information = float(again.var())
    scale = at.scale.mean(axis=0)
    table = {}
    for name, trend in _trends(rows):
        direction = trend - base @ (base.T @ trend)
        left = float(direction @ direction / (trend @ trend))
        if left < LEFT:
            continue
        unit = direction / np.linalg.norm(direction)
        observed = scores @ unit
        away = np.abs(observed) / np.sqrt(unit**2 @ variance)
        strength = float(observed.mean()) / information
        table[name] = {
            "size": abs(strength) / np.sqrt(count),
            "largest": float(np.max(np.abs(strength * unit * scale))),
            "left": left,
            "p": float(np.mean(2.0 * ndtr(-away))),
        }
    return pd.DataFrame.from_dict(table, orient="index", columns=columns).rename_axis("trend")


def judge_trends(table: pd.DataFrame, allowed: float | None = None) -> Diagnosis:
    """What the clearest trend that is significant means for forecasts.

    Parameters
    ----------
    table
        As `trends_of` gives it.
    allowed
        What forecasts one e-fold beyond the runs allow for, as a fraction of the loss: a trend
        below it is a note, one above it refuses. None for a law that is taken as exact, of which
        any trend warns.
    """
    seen = table[(table["p"] * len(table) < MAX_P) & (table["size"] > MIN_SIZE)]
    if seen.empty:
        return Diagnosis()
    clearest = int(np.argmin(np.asarray(seen["p"])))
    name, row = seen.index[clearest], seen.iloc[clearest]
    seen = (
        f"the residuals follow {name} (p = {row['p']:.1g}, by {row['size']:.2g} noise scales, up "
        f"to {row['largest']:.1%} of the loss), so the law is not quite the runs'; "
    )
    if allowed is None:
        return Diagnosis(
            warnings=(f"{seen}compare it with others (`bayescale.compare`) before extrapolating.",)
        )
    reach = f"which the forecasts allow for an e-fold beyond the runs ({allowed:.1%})"
    if row["largest"] <= allowed:
        return Diagnosis(notes=(f"{seen}that is less than the drift {reach}.",))
    return Diagnosis(
        refusals=(
            f"{seen}that is more than the drift {reach}, so they are too sure; compare the law "
            "with others (`bayescale.compare`) and fit one without such a trend.",
        )
    )


def allowed_for(posterior: Posterior) -> float | None:
    """Drift for which forecasts one e-fold beyond the runs allow; None of a law taken as exact."""
    if posterior.drifts is None:
        return None
    return float(np.quantile(np.abs(posterior.drifts.slope), ALLOWED))


def largest_trend(
    model: Model,
    sites: pointwise.Sites,
    rows: Observations,
    scores: np.ndarray,
) -> Float[np.ndarray, " draw"]:
    """Largest ``|T(q)|/sqrt(run)`` over the trends, of scores (draw, run)."""
    base = _absorbed(model, sites, rows)
    left = [trend - base @ (base.T @ trend) for _, trend in _trends(rows)]
    units = [v / np.linalg.norm(v) for v in left if v @ v > LEFT * len(v)]
    if not units:
        return np.zeros(len(scores))
    return np.abs(scores @ np.stack(units, axis=1)).max(axis=1) / np.sqrt(len(rows.log_loss))


def _trends(rows: Observations) -> Iterator[tuple[str, np.ndarray]]:
    """Trends over the runs: names, and centred vectors of variance 1."""
    logs = {n: _standard(np.asarray(v)) for n, v in rows.log_resources.items() if np.ptp(v) > 0}
    for name, log in logs.items():
        yield f"log {name}", log
    for name, log in logs.items():
        if np.ptp(np.abs(log)) > 1e-9:
            yield f"log {name} squared", _standard(log**2)
    for one, other in combinations(logs, 2):
        if np.ptp(product := logs[one] * logs[other]) > 0:
            yield f"log {one} x log {other}", _standard(product)


def _standard(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / values.std()


def _absorbed(
    model: Model, sites: pointwise.Sites, rows: Observations
) -> Float[np.ndarray, "run direction"]:
    """Orthonormal basis of the constant and of what the law can do at the runs.

    Location/scale is differenced over one posterior standard deviation on either side of the
    middle of the draws, along the principal axes of their covariance on the scale on which is
    sampled: where the runs determine a direction, the square of its singular value is 1, and
    where the prior does, it is small.
    """
    from bayescale.models.density import Density

    density = Density(model)
    positions = density.unconstrain({name: sites[name] for name in model.free})
    middle = positions.mean(axis=0)
    variances, axes = np.linalg.eigh(np.atleast_2d(np.cov(positions.T)))
    steps = np.sqrt(np.maximum(variances, 0.0))[:, None] * axes.T
    ends = density.constrain(np.concatenate([middle + steps, middle - steps]))
    at = pointwise.fitted(model, ends, rows)
    moved = np.subtract(*np.split(at.location, 2)) / (2.0 * at.scale.mean(axis=0))
    _, singular, directions = np.linalg.svd(moved, full_matrices=False)
    own = directions[singular**2 > ABSORBED]
    # The law's level is the constant already, so that this may have fewer directions than rows.
    both = np.concatenate([np.full((1, own.shape[1]), own.shape[1] ** -0.5), own])
    _, kept, basis = np.linalg.svd(both, full_matrices=False)
    return basis[kept > 1e-3].T


def score(noise: Noise, log_loss: np.ndarray) -> Float[np.ndarray, "*draw run"]:
    """``scale d log p/d location``, by a central difference."""
    ends = [noise.shifted(step * noise.scale).log_density(log_loss, np) for step in (STEP, -STEP)]
    return (ends[0] - ends[1]) / (2.0 * STEP)
