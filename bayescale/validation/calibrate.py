"""`calibrate`: whether the intervals of a law hold on the user's own table, looking ahead.

The smaller runs are fitted, the larger ones forecast, at several cuts of compute; the intervals
should cover at their nominal rate. Several laws and their stack are compared on the same cuts. What
a stack knows at a cut are the forecasts of earlier cuts.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.special import logsumexp

from bayescale.aliases import with_aliases
from bayescale.diagnosis import Diagnosis, Result
from bayescale.distributions.prior import Prior
from bayescale.errors import UsageError
from bayescale.fitting.chunk import NAME
from bayescale.fitting.resolve import Fittable, require_options, resolve
from bayescale.models.drift import Drift
from bayescale.models.drift_reference import REFERENCE, Drifting
from bayescale.models.likelihood import AbstractLikelihood
from bayescale.models.model import Model
from bayescale.models.recipe import Recipe, recipe_of
from bayescale.posteriors.posterior import Posterior
from bayescale.posteriors.verdict import QUESTIONS
from bayescale.progress import Progress
from bayescale.runs.cuts import Cut, divide
from bayescale.runs.table import Runs, read_runs
from bayescale.validation.forecast import Forecast, log_predictive, mixture, noise_of
from bayescale.validation.hold_out import MIN_COVERAGE
from bayescale.validation.leave_future_out import Outlook, look_ahead
from bayescale.validation.stacking import EVIDENCE, stacking_weights

LEVELS = (0.5, 0.8, 0.9, 0.95)
"""Nominal levels of the central predictive intervals."""

LAWS = ("chinchilla", "share")
"""Laws that are compared unless the user names others."""

STACK = "stack"

TIMES = np.geomspace(0.1, 10.0, 25)
"""Multiples of the median scale of drift at which the forecasts are scored."""


@dataclass(frozen=True, eq=False, repr=False)
class Calibration(Result):
    """How forecasts of larger runs from smaller ones turned out.

    Parameters
    ----------
    outlook
        Cuts, posteriors and forecasts of every law.
    stacked
        Forecasts of the stack at each cut, and its weights there; empty without one.
    weights
        Law -> its weight in the stack at each cut.
    drifts
        Law -> drift with the scale that the cuts teach.
    seed
        Seed of the fits.
    """

    outlook: Outlook
    stacked: tuple[Forecast, ...]
    weights: pd.DataFrame
    drifts: Mapping[str, Drift]
    seed: int

    @property
    def figure(self) -> str:
        """The kind of figure that `plot` draws by default."""
        return "calibration"

    @property
    def forecasts(self) -> dict[str, tuple[Forecast, ...]]:
        """Law, or ``stack`` -> forecast at each cut."""
        more = {STACK: self.stacked} if self.stacked else {}
        return dict(self.outlook.forecasts) | more

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a law and cut.

        Returns
        -------
        pandas.DataFrame
            Index: law, cut (its size). Columns: ``n_past``, ``n_future``, ``reach`` (largest future
            size over largest past one), ``coverage_50`` ... ``coverage_95``, ``width_90`` (mean, in
            log loss), ``interval_score_90`` (lower is better), ``log_score`` (nats a run, higher
            is better), ``rmse`` and ``bias`` (seen less predicted median, in log loss), ``status``
            (what the gate says of the fit).
        """
        rows = []
        for name, forecasts in self.forecasts.items():
            for index, (cut, one) in enumerate(zip(self.outlook.cuts, forecasts, strict=True)):
                row = {"law": name, "cut": cut.at, **_sizes(cut), **scores(one)}
                posteriors = self.outlook.posteriors.get(name)
                row["status"] = str(posteriors[index].diagnosis.status) if posteriors else ""
                rows.append(row)
        return pd.DataFrame(rows).set_index(["law", "cut"])

    def summary(self) -> pd.DataFrame:
        """The table averaged over cuts; one row a law (root mean square for ``rmse``)."""
        table = self.table.drop(columns="status").astype(np.float64)
        squared = table.assign(rmse=table["rmse"] ** 2)
        means = pd.DataFrame(squared.groupby(level="law", sort=False).mean())
        return means.assign(rmse=np.sqrt(means["rmse"]))

    def covered(self, name: str) -> tuple[int, int]:
        """How many of all forecasts of a law, or of the stack, its 90% intervals covered."""
        forecasts = self.forecasts[name]
        hits = sum(round(one.coverage(0.9) * len(one.log_loss)) for one in forecasts)
        return hits, sum(len(one.log_loss) for one in forecasts)

    @property
    def diagnosis(self) -> Diagnosis:
        """A warning for every law whose 90% intervals did not hold."""
        counts = {name: self.covered(name) for name in self.forecasts}
        narrow = [name for name, (hits, total) in counts.items() if hits < MIN_COVERAGE * total]
        return Diagnosis(warnings=tuple(self._sentence(name) for name in narrow))

    def advice(self) -> tuple[str, ...]:
        """A sentence for every law: whether its 90% intervals held; last what was asked."""
        told = [self._sentence(name) for name in self.forecasts]
        return (*told, QUESTIONS["calibrate"])

    def _sentence(self, name: str) -> str:
        forecasts, (hits, total) = self.forecasts[name], self.covered(name)
        rate = hits / total
        told = f"{name}: 90% intervals covered {rate:.0%} of {total} forecasts of larger runs"
        if verdict := self.outlook.verdict(name):
            told += f" (of {len(forecasts)} fits the gate {verdict}, which count all the same)"
        if rate < MIN_COVERAGE:
            drift = self.drifts.get(name)
            if drift is None or drift.scale.is_fixed:
                return f"{told}; the laws are too sure, so stack others or ask less far ahead."
            return (
                f"{told}; the law is too sure of what lies beyond the runs, so fit it with the "
                f"drift that these cuts teach ({_median(drift.scale):.2g} per e-fold at a noise of "
                f"{drift.at:g}; `.drifts['{name}']`), or another law."
            )
        if rate > 0.98:
            return f"{told}; the intervals are wider than they need be."
        return f"{told}."

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {
            "table": self.table.reset_index().to_dict(orient="records"),
            "summary": self.summary().reset_index().to_dict(orient="records"),
            "weights": self.weights.reset_index().to_dict(orient="records"),
            "drifts": {name: drift.to_dict() for name, drift in self.drifts.items()},
            "advice": list(self.advice()),
            **self.verdict(),
            "seed": self.seed,
        }

    def __repr__(self) -> str:
        counts = {name: self.covered(name) for name in self.forecasts}
        rates = ", ".join(f"{name} {hits / total:.0%}" for name, (hits, total) in counts.items())
        told = f"{len(self.outlook.cuts)} cuts, 90% intervals held {rates}"
        return f"Calibration({told}; diagnostics {self.diagnosis.status})"

    def __str__(self) -> str:
        return "\n".join([f"Calibration at {len(self.outlook.cuts)} cuts", *self.advice()])


@with_aliases
def calibrate(
    runs: Runs | pd.DataFrame | Any,
    law: Fittable | Sequence[Fittable] = LAWS,
    *,
    cuts: Sequence[float] | None = None,
    likelihood: str | AbstractLikelihood | None = None,
    prior: Mapping[str, Prior | float] | None = None,
    drift: Drifting = REFERENCE,
    engine: str = NAME,
    seed: int = 0,
    progress: Progress | None = None,
    client: Any = None,
    resume: str | os.PathLike | None = None,
) -> Calibration:
    """Leave the future out: fit the runs below each cut, forecast those above.

    Parameters
    ----------
    runs
        A table, or what `read_runs` reads. Rows of one run stay together.
    law
        One or several laws; with several, their stack is judged too. Of a `Model` the priors that
        are the defaults of its table become those of the runs below each cut.
    cuts
        Sizes at which to cut: compute, or the product of the resources where the table has none.
        By default the 40, 50, 60, 70 and 80% quantiles of the runs.
    likelihood, prior, drift
        As for `bayescale.fit`, for every law.
    engine
        ``"batch"``, which fits all cuts by one compiled program (`fit_many`), or the engine of
        `bayescale.fit` by which each cut is fitted.
    seed
        Seed of everything random.
    progress
        Called with a few words at each stage; by default what takes over 3 s shows itself on a
        terminal's standard error or in a notebook (`bayescale.progress`).
    client
        A `distributed.Client` over which the fits of engine ``"batch"`` are spread; see `fit_many`.
    resume
        Folder in which finished fits are kept: the same call goes on from there, and gives what it
        would have given without a stop.

    Returns
    -------
    Calibration

    Raises
    ------
    RunsError
        If the table is too small, or a given cut leaves too few runs on a side.
    UsageError
        If a name is unknown, or an option cannot be honoured.
    OutputError
        If finished fits cannot be kept.

    Warns
    -----
    DiagnosticsWarning
        If the gate refuses fits; their forecasts count all the same.

    Examples
    --------
    >>> import bayescale as bs
    >>> result = bs.calibrate(bs.load("tiny_lm"), law="chinchilla", cuts=[2e11])  # doctest: +SKIP
    """
    table = runs if isinstance(runs, Runs) else read_runs(runs)
    require_options(seed=seed)
    laws = [law] if isinstance(law, Fittable) else list(law)
    if not laws:
        raise UsageError("there is no law to calibrate; name at least one.")
    options: dict[str, Any] = {"likelihood": likelihood, "prior": prior, "drift": drift}
    made = [_recipe(one, table, options) for one in laws]
    names = [model.law.name for model, _ in made]
    if len(set(names)) < len(names):
        raise UsageError(f"a law is named twice: {', '.join(names)}.")
    models = {name: model for name, (model, _) in zip(names, made, strict=True)}
    recipes = {name: recipe for name, (_, recipe) in zip(names, made, strict=True)}
    divided = divide(table, cuts, max(len(model.free) for model in models.values()) + 2)
    outlook = look_ahead(
        table,
        recipes,
        divided,
        engine=engine,
        seed=seed,
        progress=progress,
        client=client,
        resume=resume,
    )
    stacked, weights = stack_ahead(outlook) if len(recipes) > 1 else ((), pd.DataFrame())
    drifts = {
        name: learn_drift(outlook, name, model.drift)
        for name, model in models.items()
        if model.drift is not None
    }
    return Calibration(outlook, stacked, weights, drifts, seed)


def _recipe(law: Fittable, runs: Runs, options: Mapping[str, Any]) -> tuple[Model, Recipe]:
    """The model of the whole table, and how its like is made for the runs below a cut."""
    model = resolve(law, runs, **options)
    if isinstance(law, Model):
        return model, recipe_of(model)
    return model, lambda past: resolve(model.law, past, **options)


def _sizes(cut: Cut) -> dict[str, Any]:
    return {
        "n_past": int(cut.past.sum()),
        "n_future": int(cut.future.sum()),
        "reach": cut.reach,
    }


def scores(one: Forecast) -> dict[str, float]:
    """Coverage at each level, width, interval score, log score, error and bias of a forecast."""
    covered = {f"coverage_{level * 100:g}": one.coverage(level) for level in LEVELS}
    return covered | {
        "width_90": one.width(0.9),
        "interval_score_90": one.interval_score(0.9),
        "log_score": one.log_score,
        "rmse": one.rmse,
        "bias": float(np.mean(one.error)),
    }


def stack_ahead(outlook: Outlook) -> tuple[tuple[Forecast, ...], pd.DataFrame]:
    """Forecasts of the stack at each cut, with weights from earlier cuts only.

    At a cut the weights rest on forecasts made at earlier cuts of runs that lie below it; at the
    first they are equal.
    """
    names = list(outlook.forecasts)
    found, rows = [], []
    for index, cut in enumerate(outlook.cuts):
        seen = [outlook.log_densities(name, until=index) for name in names]
        weights = stacking_weights(seen)
        parts = [outlook.forecasts[name][index] for name in names]
        found.append(mixture(parts, weights))
        rows.append({"cut": cut.at, **dict(zip(names, weights, strict=True))})
    return tuple(found), pd.DataFrame(rows).set_index("cut")


def learn_drift(outlook: Outlook, law: str, drift: Drift) -> Drift:
    """Drift whose scale the forecasts of a table teach.

    The posterior of the scale on a grid, from its distribution in `drift` and the mean log
    predictive densities at each cut, which count as a few independent observations (`EVIDENCE` of
    `bayescale.validation.stacking`); a LogNormal with the same mean and variance of the logarithm.
    """
    if drift.scale.is_fixed:
        return drift
    scales = TIMES * _median(drift.scale)
    log_weight = drift.scale.scipy().logpdf(scales) + np.log(scales)
    for post, cut in zip(outlook.posteriors[law], outlook.cuts, strict=True):
        log_weight = log_weight + EVIDENCE * _scored(
            post, outlook.runs.select(cut.future), drift, scales
        )
    weight = np.exp(log_weight - logsumexp(log_weight))
    logs = np.log(scales)
    mean = float(weight @ logs)
    spread = float(np.sqrt(weight @ (logs - mean) ** 2))
    return replace(drift, scale=Prior("LogNormal", mu=mean, sigma=max(spread, 0.05)))


def _median(prior: Prior) -> float:
    return float(prior.scipy().median())


def _scored(
    posterior: Posterior, runs: Runs, drift: Drift, scales: np.ndarray
) -> Float[np.ndarray, " scale"]:
    """Mean log predictive density of runs at each scale of a drift."""
    assert posterior.model is not None
    log_loss, found = np.log(runs.loss), []
    for scale in scales:
        drifted = replace(drift, scale=Prior.fixed(float(scale)))
        post = replace(posterior, model=replace(posterior.model, drift=drifted))
        noise = noise_of(post, runs, np.random.default_rng(posterior.seed))
        found.append(np.mean(log_predictive(noise, log_loss)))
    return np.array(found)
