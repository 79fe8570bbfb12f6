"""How well a posterior predicts runs that it has not seen."""

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from bayescale.diagnosis import Diagnosis, Result
from bayescale.posteriors.posterior import Posterior
from bayescale.runs.table import Runs
from bayescale.validation.forecast import forecast

SCORES = ("n_runs", "log_score", "rmse", "coverage", "width")

MIN_COVERAGE = 0.8
"""Part of new runs that 90% intervals must cover, or they are called too narrow."""


@dataclass(frozen=True)
class HoldOut(Result):
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
    gate
        The gate's verdict on the posterior that was scored.
    """

    n_runs: int
    log_score: float
    rmse: float
    coverage: float
    width: float
    gate: Diagnosis = field(default_factory=Diagnosis)

    @property
    def diagnosis(self) -> Diagnosis:
        """What the gate says of the posterior, and a warning where its intervals are too narrow."""
        if not self.coverage < MIN_COVERAGE:
            return self.gate
        sentence = (
            f"only {self.coverage:.0%} of the {self.n_runs} runs held out lie inside the 90% "
            "intervals, so the law is too sure of what lies beyond its runs; compare it with "
            "others, or fit it with more drift."
        )
        return self.gate + Diagnosis(warnings=(sentence,))

    def summary(self) -> pd.DataFrame:
        """The scores, one row."""
        return pd.DataFrame([{name: getattr(self, name) for name in SCORES}])

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {**{name: getattr(self, name) for name in SCORES}, **self.verdict()}


def hold_out(posterior: Posterior, runs: Runs, *, force: bool = False) -> HoldOut:
    """Score a posterior on runs that were not fitted.

    The log predictive density of a run is ``log mean_s p(log loss | draw s)``, the noise of a new
    run and the drift beyond the fitted ones included (`bayescale.models.drift`).

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
    one = forecast(posterior, runs, force=force)
    return HoldOut(
        n_runs=len(runs),
        log_score=one.log_score,
        rmse=one.rmse,
        coverage=one.coverage(0.9),
        width=one.width(0.9),
        gate=posterior.diagnosis,
    )
