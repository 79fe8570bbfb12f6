"""The one gate: from draws to a posterior with a verdict, whichever verb fitted it.

`fit`, `fit_groups` and `fit_many` all end here, and what compares, scores and plans reads the
verdict that was made here. First the computation is judged: chains or importance weights, attempts,
starts. Where it may be used, the law is judged by its runs: sizes that follow each other, exponents
and a floor that are the prior's, trends in the residuals, and runs that alone move the posterior.
Of groups, the chains are judged together and the law by the runs of each group. What the audit of
the table found stands between the two.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from bayescale.auditing.followers import followers, told
from bayescale.diagnosis import (
    Diagnosis,
    diagnose_attempts,
    diagnose_chains,
    diagnose_importance,
    diagnose_starts,
)
from bayescale.models import pointwise
from bayescale.models.draws import Draws
from bayescale.models.model import Model
from bayescale.models.observations import Observations
from bayescale.models.thinning import at_most
from bayescale.posteriors.checks import leave_one_out, power_scaling, trends
from bayescale.posteriors.checks.audited import judge_audit
from bayescale.posteriors.checks.own_cuts import judge_own_cuts
from bayescale.posteriors.groups import GroupPosterior
from bayescale.posteriors.labelled import record_of, to_tree
from bayescale.posteriors.posterior import Posterior
from bayescale.runs.identifiable import are_few
from bayescale.runs.table import Runs

GATE_DRAWS = 2000
"""Evenly spaced draws that the law is judged by."""


def judged_posterior(
    model: Model, runs: Runs, draws: Draws, *, engine: str, seed: int
) -> Posterior:
    """The posterior that an engine's draws make, with the gate's verdict.

    Parameters
    ----------
    model
        What was sampled, of one group of runs or of several.
    runs
        The fitted table.
    draws
        What the engine gave; its facts go into the record.
    engine, seed
        How the draws were made.
    """
    record = record_of(runs, engine=engine, seed=seed, draws=draws)
    unjudged = Posterior(model.law, model, to_tree(model, runs, draws), Diagnosis(), record)
    return replace(unjudged, diagnosis=judge(unjudged))


def judge(posterior: Posterior) -> Diagnosis:
    """The gate's verdict on a fitted posterior, from its draws, its runs and its record alone.

    Parameters
    ----------
    posterior
        Of one table, or the joint one of groups (`GroupPosterior.joint`). The verdict that it
        carries is not looked at, so that a loaded posterior can be judged again.

    Returns
    -------
    Diagnosis
        Where the computation is refused, nothing is said of the law.

    Raises
    ------
    UsageError
        If the draws came without a likelihood or without runs.
    """
    model, _ = posterior.fitted_model
    found = _of_computation(posterior)
    if found.refusals:
        return found
    found += judge_audit(posterior.record)
    if model.pooling is None:
        found += _of_number(posterior) + _of_law(posterior)
    else:
        groups = GroupPosterior(posterior)
        for name in groups.groups:
            found += _of_law(groups.group(name)).labelled(f"group '{name}'")
    return found + _of_influence(posterior) + judge_own_cuts(posterior.record)


def _of_computation(posterior: Posterior) -> Diagnosis:
    """Whether the draws are those of the posterior."""
    facts = posterior.record
    if "pareto_k" in facts:
        found = diagnose_importance(facts)
    else:
        stats = posterior.data["sample_stats"].data_vars
        arrays = {str(name): values.to_numpy() for name, values in stats.items()}
        found = diagnose_chains(_quantities(posterior), arrays)
    return found + diagnose_attempts(found, facts) + diagnose_starts(facts)


def _quantities(posterior: Posterior) -> Mapping[str, np.ndarray]:
    """What must converge: all that varies, of groups the population's and each group's own."""
    pooling = posterior.fitted_model[0].pooling
    found = {str(name): v.to_numpy() for name, v in posterior.draws.items()}
    if pooling is not None:
        sites = {n: found[n] for n, shape in posterior.fitted_model[0].shapes.items() if not shape}
        own = GroupPosterior(posterior).data["groups"].data_vars
        differ = [n for n in map(str, own) if n not in sites or n in pooling.coordinates]
        found = sites | {f"{name} by group": own[name].to_numpy() for name in differ}
    return {name: values for name, values in found.items() if np.ptp(values) != 0}


def _of_law(posterior: Posterior) -> Diagnosis:
    """Whether the runs teach the law, and obey it."""
    model, rows = posterior.fitted_model
    some = _some(posterior)
    log_likelihood = pointwise.log_likelihood(model, some, rows).sum(axis=1)
    return (
        _of_design(model, rows)
        + power_scaling.judge_exponents(model, some)
        + power_scaling.judge_floor(model, some, log_likelihood)
        + trends.judge_trends(trends.trends_of(model, some, rows), trends.allowed_for(posterior))
    )


def _of_number(posterior: Posterior) -> Diagnosis:
    """Warn of so few runs that the prior carries much of what is said."""
    model, rows = posterior.fitted_model
    count = len(rows.log_loss)
    if not are_few(count):
        return Diagnosis()
    return Diagnosis(
        warnings=(
            f"there are {count} runs for {len(model.free)} unknowns, so the prior carries much of "
            "the answer; summary() shows it beside the posterior, and what published fits say of "
            "the exponents goes in by prior=bs.prior_from_published(law).",
        )
    )


def _of_influence(posterior: Posterior) -> Diagnosis:
    """Whether single runs move the posterior."""
    model, rows = posterior.fitted_model
    codes, labels = leave_one_out.units_of(posterior)
    log_likelihood = pointwise.log_likelihood(model, _some(posterior), rows)
    return leave_one_out.judge_influence(leave_one_out.leave_one_out(log_likelihood, codes), labels)


def _some(posterior: Posterior) -> pointwise.Sites:
    sites = posterior.sites
    return pointwise.take(sites, at_most(pointwise.size(sites), GATE_DRAWS))


def _of_design(model: Model, rows: Observations) -> Diagnosis:
    """Warn of sizes that follow each other in all runs."""
    sizes = [r.name for r in model.law.resources if not r.is_covariate]
    logs = {name: np.asarray(rows.log_resources[name]) for name in sizes}
    return Diagnosis(warnings=tuple(told(*pair) for pair in followers(logs)))
