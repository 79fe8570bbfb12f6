"""Checks of a model against its runs, before and after the fit, and what the gate makes of them."""

from itertools import combinations

import numpy as np
import pandas as pd

from bayescale import _loo, _predictive, _sensitivity, _trends
from bayescale import _pointwise as pointwise
from bayescale._loo import LeaveOneOut
from bayescale._predictive import Predictive
from bayescale.diagnose import Diagnosis
from bayescale.model import Model
from bayescale.observations import Observations
from bayescale.posterior import Posterior
from bayescale.runs import Runs

GATE_DRAWS = 2000
"""Evenly spaced draws that the gate computes with."""

ON_A_LINE = 0.01
"""Two sizes follow each other where the logarithm of one is a line in that of the other to within
this standard deviation."""


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
    return _trends.residual_trends(model, posterior.sites, rows, seed=seed)


def prior_predictive(
    model: Model, runs: Runs, *, seed: int = 0, draws: int = _predictive.DRAWS
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
    return _predictive.prior_tables(model, runs, seed=seed, draws=draws)


def posterior_predictive(
    posterior: Posterior, *, seed: int = 0, draws: int = _predictive.DRAWS
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
    return _predictive.posterior_tables(model, posterior.sites, runs, seed=seed, draws=draws)


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
    return _sensitivity.sensitivity_table(model, posterior.sites, total, chains=chains, seed=seed)


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
    efficiency = _loo.relative_efficiency(log_likelihood, posterior.draws.sizes["chain"])
    found = _loo.leave_one_out(log_likelihood, codes, r_eff=efficiency)
    table = pd.DataFrame({"rows": np.bincount(codes), **found._asdict()}, index=labels)
    return table.rename_axis("run").sort_values("pareto_k", ascending=False, kind="stable")


def judge(posterior: Posterior) -> Diagnosis:
    """What the gate warns of beyond convergence; nothing for a posterior that it refuses anyway.

    Warns of exponents and a floor that are the prior's, of trends in the residuals, of sizes that
    follow each other, and of runs that alone move the posterior.

    Parameters
    ----------
    posterior
        Fitted to runs, with the verdict on its convergence.
    """
    if posterior.diagnosis.refusals:
        return Diagnosis()
    model, rows = posterior.fitted_model
    some = pointwise.take(
        posterior.sites, pointwise.evenly(pointwise.size(posterior.sites), GATE_DRAWS)
    )
    log_likelihood = pointwise.log_likelihood(model, some, rows)
    codes, labels = _units(posterior)
    found = _loo.leave_one_out(log_likelihood, codes)
    return (
        _judge_design(model, rows)
        + _sensitivity.judge_exponents(model, some)
        + _sensitivity.judge_floor(model, some, log_likelihood.sum(axis=1))
        + _trends.judge_trends(_trends.residual_trends(model, some, rows))
        + _loo.judge_influence(found, labels)
    )


def _units(posterior: Posterior) -> tuple[np.ndarray, list[str]]:
    assert posterior.observed is not None
    names = posterior.observed.column("run").astype(str)
    return _loo.units(names, [posterior.fitted_model])


def _judge_design(model: Model, rows: Observations) -> Diagnosis:
    """Warn of sizes that follow each other in all runs."""
    sizes = [r.name for r in model.law.resources if not r.is_covariate]
    warnings = []
    for one, other in combinations(sizes, 2):
        x, y = (np.asarray(rows.log_resources[n]) for n in (one, other))
        x, y = x - x.mean(), y - y.mean()
        slope = float(x @ y / (x @ x)) if x.any() else 0.0
        if x.any() and y.any() and np.std(y - slope * x) < ON_A_LINE:
            warnings.append(
                f"{other} follows {one} in all runs ({other} ~ {one}^{slope:.2f}), so their "
                f"exponents are told apart by the prior alone and no optimal ratio is found; add "
                f"runs at another {other}/{one}."
            )
    return Diagnosis(warnings=tuple(warnings))


__all__ = [
    "LeaveOneOut",
    "Predictive",
    "influence",
    "judge",
    "posterior_predictive",
    "prior_predictive",
    "residual_trends",
    "sensitivity",
]
