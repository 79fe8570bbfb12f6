"""How well a posterior predicts runs that it has not seen."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import logsumexp

from bayescale.errors import RunsError, UsageError
from bayescale.family import FAMILIES
from bayescale.observations import Observations
from bayescale.posterior import Posterior
from bayescale.runs import Runs


@dataclass(frozen=True)
class HoldOut:
    """Predictive performance on held-out runs.

    Parameters
    ----------
    n_runs
        How many runs were held out.
    log_score
        Mean log predictive density of log loss, nats a run; higher is better.
    rmse
        Root mean square error of the predicted median, in log loss.
    coverage
        Fraction of runs inside the central 90% predictive interval.
    width
        Mean width of that interval, in log loss.
    """

    n_runs: int
    log_score: float
    rmse: float
    coverage: float
    width: float


def hold_out(posterior: Posterior, runs: Runs, *, force: bool = False) -> HoldOut:
    """Score a posterior on runs that were not fitted.

    The log predictive density of a run is ``log mean_s p(log loss | draw s)``, the noise of a new
    run included.

    Parameters
    ----------
    posterior
        Fitted to other runs.
    runs
        Held-out runs with the law's resources.
    force
        Score even where the gate refuses.

    Raises
    ------
    UsageError
        If the posterior has no likelihood.
    RunsError
        If no run is held out.
    DiagnosticsRefused
        If the gate refuses and `force` is not given.
    """
    if posterior.model is None:
        raise UsageError("these draws came without a likelihood, so they score no new run.")
    if len(runs) == 0:
        raise RunsError("no run is held out; choose a cut that leaves some on either side.")
    resources: dict[str, Any] = {r.name: runs.column(r.name) for r in posterior.law.resources}
    log_loss = np.log(runs.loss)
    mean = np.log(posterior.predict(**resources, force=force).draws)
    rows = Observations({name: np.log(column)[None, :] for name, column in resources.items()})
    noise = posterior.model.likelihood.noise(mean, posterior.noise_draws, rows, np)
    densities = FAMILIES[noise.family].log_density(log_loss, np, **noise.arguments)
    log_score = logsumexp(densities, axis=0) - np.log(len(mean))
    new = np.log(posterior.predict(**resources, noise=True, force=force).draws)
    low, middle, high = np.quantile(new, [0.05, 0.5, 0.95], axis=0)
    return HoldOut(
        n_runs=len(runs),
        log_score=float(np.mean(log_score)),
        rmse=float(np.sqrt(np.mean((middle - log_loss) ** 2))),
        coverage=float(np.mean((low <= log_loss) & (log_loss <= high))),
        width=float(np.mean(high - low)),
    )
