"""Prior and posterior predictive checks: tables that the model makes, beside the table at hand."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from bayescale.models import pointwise
from bayescale.models.model import Model
from bayescale.models.observations import Observations
from bayescale.models.thinning import at_most
from bayescale.posteriors.checks.power_scaling import prior_draws
from bayescale.posteriors.checks.trends import largest_trend, score
from bayescale.posteriors.posterior import Posterior
from bayescale.runs.table import Runs

DRAWS = 500
"""Simulated tables."""

BEYOND = 3.0
"""Residuals are counted beyond this many scales."""


@dataclass(frozen=True, eq=False)
class Predictive:
    """Simulated tables, and how the one at hand compares with them.

    Parameters
    ----------
    data
        ArviZ `DataTree` with groups ``prior`` and ``prior_predictive``, or ``posterior`` and
        ``posterior_predictive``, and ``observed_data``; ``loss`` has dims (chain, draw, run).
    table
        Index: statistic. Columns: ``observed`` (its mean over draws where it depends on them),
        the 5, 50 and 95% quantiles over simulated tables, and ``p``, the probability that a
        simulated table has a value at least as large: near 0 or 1 the model does not make such
        tables.
    """

    data: xr.DataTree
    table: pd.DataFrame


def prior_predictive(model: Model, runs: Runs, *, seed: int = 0, draws: int = DRAWS) -> Predictive:
    """Tables that the prior makes of the runs' sizes, beside the losses at hand.

    The statistics are of log loss: least, mean, greatest, sd, and slope in the logarithm of each
    resource.

    Parameters
    ----------
    model
        Law, priors and likelihood.
    runs
        Sizes to simulate at, and losses to compare with.
    seed
        Seed of everything random.
    draws
        How many tables.
    """
    rng = np.random.default_rng(seed)
    rows = model.observe(runs)
    sites = prior_draws(model, rng, draws)
    with np.errstate(all="ignore"):  # a prior may reach where a loss overflows
        replicated = pointwise.replicate(model, sites, rows, rng)
    table = _compared(_plain(rows.log_loss[None, :], rows), _plain(replicated, rows))
    return Predictive(_tree("prior", model, sites, runs, replicated), table)


def posterior_predictive(posterior: Posterior, *, seed: int = 0, draws: int = DRAWS) -> Predictive:
    """Tables that the fitted model makes of the runs' sizes, beside the table at hand.

    The statistics are of log residuals around the law of the same draw: least, greatest, sd, the
    number beyond three noise scales, and the largest trend that the law cannot absorb (root mean
    square over the runs, in units of the score).

    Parameters
    ----------
    posterior
        Fitted to runs.
    seed
        Seed of everything random.
    draws
        How many tables, at most.

    Raises
    ------
    UsageError
        If the draws came without a likelihood or without runs.
    """
    (model, rows), runs, sites = posterior.fitted_model, posterior.observed, posterior.sites
    assert runs is not None
    rng = np.random.default_rng(seed)
    some = pointwise.take(sites, at_most(pointwise.size(sites), draws))
    replicated = pointwise.replicate(model, some, rows, rng)
    observed = np.broadcast_to(rows.log_loss, replicated.shape)
    table = _compared(
        *(_around(model, some, rows._replace(log_loss=log)) for log in (observed, replicated))
    )
    return Predictive(_tree("posterior", model, some, runs, replicated), table)


def _plain(log_loss: np.ndarray, rows: Observations) -> dict[str, np.ndarray]:
    found = {
        "least log loss": log_loss.min(axis=1),
        "mean log loss": log_loss.mean(axis=1),
        "greatest log loss": log_loss.max(axis=1),
        "sd of log loss": log_loss.std(axis=1),
    }
    for name, log in rows.log_resources.items():
        centred = log - log.mean()
        if centred.any():
            found[f"slope in log {name}"] = log_loss @ centred / (centred @ centred)
    return found


def _around(model: Model, sites: pointwise.Sites, rows: Observations) -> dict[str, np.ndarray]:
    """Statistics of residuals; `rows.log_loss` is (draw, run)."""
    at = pointwise.fitted(model, sites, rows)
    residual = rows.log_loss - at.law
    scores = score(pointwise.noise_at(model, sites, rows), rows.log_loss)
    return {
        "least residual": residual.min(axis=1),
        "greatest residual": residual.max(axis=1),
        "sd of residuals": residual.std(axis=1),
        f"runs beyond {BEYOND:.0f} scales": np.sum(
            np.abs(at.standardised(rows.log_loss)) > BEYOND, axis=1
        ).astype(np.float64),
        "largest trend": largest_trend(model, sites, rows, scores),
    }


def _compared(
    observed: Mapping[str, np.ndarray], replicated: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    rows = {}
    for name, again in replicated.items():
        low, middle, high = np.nanquantile(again, [0.05, 0.5, 0.95])
        rows[name] = {
            "observed": float(np.mean(observed[name])),
            "q05": float(low),
            "q50": float(middle),
            "q95": float(high),
            "p": float(np.mean(again >= observed[name])),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("statistic")


def _tree(
    group: str, model: Model, sites: pointwise.Sites, runs: Runs, log_loss: np.ndarray
) -> xr.DataTree:
    """One chain of draws and simulated losses, with the observed ones, as ArviZ names them."""
    names = runs.table["run"].astype(str).to_numpy()
    parameters = {
        name: (("chain", "draw", "group") if model.shapes[name] else ("chain", "draw"), v[None])
        for name, v in sites.items()
    }
    simulated = {"loss": (("chain", "draw", "run"), np.exp(log_loss)[None])}
    return xr.DataTree.from_dict(
        {
            group: xr.Dataset(parameters),
            f"{group}_predictive": xr.Dataset(simulated, {"run": names}),
            "observed_data": xr.Dataset({"loss": ("run", runs.loss)}, {"run": names}),
        }
    )
