"""What the gate makes of a fitted posterior beyond the convergence of its draws."""

from itertools import combinations

import numpy as np

from bayescale.diagnosis import Diagnosis
from bayescale.models import pointwise
from bayescale.models.model import Model
from bayescale.models.observations import Observations
from bayescale.models.thinning import at_most
from bayescale.posteriors.checks import leave_one_out, power_scaling, trends
from bayescale.posteriors.checks.of_posterior import _units
from bayescale.posteriors.posterior import Posterior

GATE_DRAWS = 2000
"""Evenly spaced draws that the gate computes with."""


ON_A_LINE = 0.01
"""Two sizes follow each other where the logarithm of one is a line in that of the other to within
this standard deviation."""


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
    some = pointwise.take(posterior.sites, at_most(pointwise.size(posterior.sites), GATE_DRAWS))
    log_likelihood = pointwise.log_likelihood(model, some, rows)
    codes, labels = _units(posterior)
    found = leave_one_out.leave_one_out(log_likelihood, codes)
    return (
        _judge_design(model, rows)
        + power_scaling.judge_exponents(model, some)
        + power_scaling.judge_floor(model, some, log_likelihood.sum(axis=1))
        + trends.judge_trends(trends.residual_trends(model, some, rows))
        + leave_one_out.judge_influence(found, labels)
    )


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
