"""Checks of a model against its runs, before and after the fit, and what the gate makes of them."""

import numpy as np
import pandas as pd

from bayescale.models.model import Model
from bayescale.posteriors.checks import leave_one_out, power_scaling, predictive, trends
from bayescale.posteriors.checks.leave_one_out import LeaveOneOut
from bayescale.posteriors.checks.predictive import Predictive
from bayescale.posteriors.posterior import Posterior
from bayescale.runs.table import Runs


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
    return trends.residual_trends(model, posterior.sites, rows, seed=seed)


def prior_predictive(
    model: Model, runs: Runs, *, seed: int = 0, draws: int = predictive.DRAWS
) -> Predictive:
    """Tables that the prior makes of the runs' sizes, beside the losses at hand.

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
    return predictive.prior_tables(model, runs, seed=seed, draws=draws)


def posterior_predictive(
    posterior: Posterior, *, seed: int = 0, draws: int = predictive.DRAWS
) -> Predictive:
    """Tables that the fitted model makes of the runs' sizes, beside the table at hand.

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
    model, _ = posterior.fitted_model
    runs = posterior.observed
    assert runs is not None
    return predictive.posterior_tables(model, posterior.sites, runs, seed=seed, draws=draws)


def sensitivity(posterior: Posterior, *, seed: int = 0) -> pd.DataFrame:
    """Which numbers are the prior's, and which the data's: power-scaling sensitivity by ArviZ.

    Parameters
    ----------
    posterior
        Fitted to runs.
    seed
        Seed of the draws from the prior.

    Returns
    -------
    pandas.DataFrame
        One row for each of the law's own parameters and of the noise's. Columns: sensitivity to
        the ``prior`` and to the ``likelihood`` (above 0.05 it matters; Kallioinen et al. 2024),
        ``sd_ratio`` (posterior over prior standard deviation, of the logarithm of a positive
        parameter; 1 where nothing was learnt) and ``diagnosis``: "the data's", "the prior's"
        (sensitive to the prior and not to the data, or an sd ratio above 0.9), or "prior and data
        may disagree" (sensitive to both).

    Raises
    ------
    UsageError
        If the draws came without a likelihood or without runs.
    """
    model, _ = posterior.fitted_model
    total = posterior.log_likelihood().sum(axis=1)
    chains = posterior.draws.sizes["chain"]
    return power_scaling.sensitivity_table(model, posterior.sites, total, chains=chains, seed=seed)


def influence(posterior: Posterior) -> pd.DataFrame:
    """How much each run moves the posterior, by leaving it out (PSIS-LOO).

    Parameters
    ----------
    posterior
        Fitted to runs.

    Returns
    -------
    pandas.DataFrame
        Index: run (all rows of a name, or of a dependent group); the most influential first.
        Columns: ``rows``, ``elpd`` (log predictive density given the others), ``p_loo`` and
        ``pareto_k``, above 0.7 where the run alone moves the posterior so much that the other
        numbers are not reliable.

    Raises
    ------
    UsageError
        If the draws came without a likelihood or without runs.
    """
    log_likelihood = posterior.log_likelihood()
    codes, labels = _units(posterior)
    efficiency = leave_one_out.relative_efficiency(log_likelihood, posterior.draws.sizes["chain"])
    found = leave_one_out.leave_one_out(log_likelihood, codes, r_eff=efficiency)
    table = pd.DataFrame({"rows": np.bincount(codes), **found._asdict()}, index=labels)
    return table.rename_axis("run").sort_values("pareto_k", ascending=False, kind="stable")


def _units(posterior: Posterior) -> tuple[np.ndarray, list[str]]:
    assert posterior.observed is not None
    names = posterior.observed.column("run").astype(str)
    return leave_one_out.units(names, [posterior.fitted_model])


__all__ = [
    "LeaveOneOut",
    "Predictive",
    "influence",
    "posterior_predictive",
    "prior_predictive",
    "residual_trends",
    "sensitivity",
]
