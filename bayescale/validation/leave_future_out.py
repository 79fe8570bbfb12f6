"""Leave the future out: fit the smaller runs, forecast the larger ones, at several cuts.

That is the direction in which a scaling law is used. All fits, of every law at every cut, are
tables of `fit_many`, or fits of another engine.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from bayescale.diagnosis import Status
from bayescale.errors import DiagnosticsWarning, RunsError, UsageError
from bayescale.fitting.chunk import NAME
from bayescale.fitting.fit import fit
from bayescale.fitting.many import counted, fit_many
from bayescale.models.model import Model
from bayescale.models.stated_priors import is_default_reducible
from bayescale.posteriors.posterior import Posterior
from bayescale.progress import Progress
from bayescale.runs.table import Runs
from bayescale.validation.forecast import Forecast, forecast

QUANTILES = (0.4, 0.5, 0.6, 0.7, 0.8)
"""Where the cuts lie by default, as quantiles of the runs in the order of compute."""

LEAST_TEST = 3
"""Runs that must lie beyond a cut."""

Recipe = Callable[[Runs], Model]
"""From a table to its model: ``(runs) -> Model``."""


@dataclass(frozen=True)
class Cut:
    """One division of a table into past and future.

    Parameters
    ----------
    at
        The size at which it lies: runs below were fitted.
    past, future
        Masks of rows, (run,).
    reach
        Largest future size over largest past size.
    """

    at: float
    past: np.ndarray
    future: np.ndarray
    reach: float


@dataclass(frozen=True)
class Outlook:
    """Forecasts of the future at several cuts.

    Parameters
    ----------
    runs
        The table.
    cuts
        Its divisions, from the earliest.
    posteriors
        Law -> posterior at each cut.
    forecasts
        Law -> forecast of the future at each cut.
    """

    runs: Runs
    cuts: tuple[Cut, ...]
    posteriors: Mapping[str, tuple[Posterior, ...]]
    forecasts: Mapping[str, tuple[Forecast, ...]]

    def verdict(self, law: str) -> str:
        """Of how many fits of a law the gate refuses or warns; empty where all are well."""
        return counted([post.diagnosis for post in self.posteriors.get(law, ())])

    def log_densities(self, law: str, *, until: int | None = None) -> list[np.ndarray]:
        """Log predictive densities of one law, cut by cut, (run,) each.

        With `until`, only what is known at that cut: earlier cuts, and runs that lie before it.
        """
        found = []
        for cut, one in zip(self.cuts[:until], self.forecasts[law][:until], strict=True):
            known = np.ones(int(cut.future.sum()), dtype=bool)
            if until is not None:
                known = self.cuts[until].past[cut.future]
            if known.any():
                found.append(one.log_density[known])
        return found


def sizes(runs: Runs) -> np.ndarray:
    """What orders a table in time: compute, or the product of the resources that it has.

    Rows of one run count as one, at the largest size among them.
    """
    if "C" in runs.table:
        size = runs.column("C").astype(np.float64)
    else:
        names = runs.resources
        if not names:
            raise RunsError(
                f"{runs.name}: no column N, D or C by which to order the runs; add one."
            )
        size = np.prod([runs.column(name).astype(np.float64) for name in names], axis=0)
    return (
        runs.table.assign(size=size).groupby("run", sort=False)["size"].transform("max").to_numpy()
    )


def divide(
    runs: Runs, cuts: Sequence[float] | None, least_past: int, order: np.ndarray | None = None
) -> tuple[Cut, ...]:
    """Cuts of a table, each with enough runs on both sides.

    Parameters
    ----------
    runs
        The table.
    cuts
        Sizes at which to cut; at quantiles of the runs by default.
    least_past
        Runs that must lie below a cut.
    order
        Size of each row, instead of what `sizes` gives.

    Raises
    ------
    RunsError
        If a given cut leaves too few runs on a side, or no default cut is possible.
    """
    size = sizes(runs) if order is None else order
    given = cuts is not None
    wanted = cuts if cuts is not None else np.unique(np.quantile(size, QUANTILES, method="higher"))
    found: list[Cut] = []
    for at in wanted:
        past, future = size < at, size >= at
        few = past.sum() < least_past or future.sum() < LEAST_TEST
        if few and given:
            raise RunsError(
                f"{runs.name}: the cut at {at:.4g} leaves {past.sum()} runs below and "
                f"{future.sum()} above; at least {least_past} and {LEAST_TEST} are needed, so "
                "choose another cut."
            )
        if not few:
            reach = float(size[future].max() / size[past].max())
            found.append(Cut(float(at), past, future, reach))
    if not found:
        raise RunsError(
            f"{runs.name}: {len(runs)} runs are too few to leave the future out; at least "
            f"{least_past} must lie below a cut and {LEAST_TEST} above it."
        )
    return tuple(found)


def look_ahead(
    runs: Runs,
    recipes: Mapping[str, Recipe],
    cuts: Sequence[Cut],
    *,
    engine: str = NAME,
    seed: int = 0,
    progress: Progress | None = None,
    client: Any = None,
) -> Outlook:
    """Fit every law to the past of every cut, and forecast its future.

    Parameters
    ----------
    runs
        The table.
    recipes
        Law -> how its model is made from a table.
    cuts
        Divisions of the table.
    engine
        ``"batch"`` (`fit_many`), or the engine of `fit`.
    seed, progress, client
        As for `fit_many`.

    Raises
    ------
    UsageError
        If the engine is unknown, or a client is given to one that fits table by table.

    Warns
    -----
    DiagnosticsWarning
        If the gate refuses fits; their forecasts count all the same.
    """
    past = [
        runs.select(cut.past, note=f"Only runs below {cut.at:.4g} were fitted.") for cut in cuts
    ]
    future = [runs.select(cut.future) for cut in cuts]
    posteriors, forecasts = {}, {}
    for name, recipe in recipes.items():
        models = _alike([recipe(table) for table in past])
        posteriors[name] = _fits(past, models, engine, seed=seed, progress=progress, client=client)
        forecasts[name] = tuple(
            forecast(post, table, force=True)
            for post, table in zip(posteriors[name], future, strict=True)
        )
    outlook = Outlook(runs, tuple(cuts), posteriors, forecasts)
    if any(refused(posts) for posts in posteriors.values()):
        told = [f"{n}: {found}" for n in posteriors if (found := outlook.verdict(n))]
        warnings.warn(
            f"of {len(cuts)} fits of each law below a cut the gate has doubts ({'; '.join(told)}); "
            "what they forecast counts all the same, so choose later cuts or simpler laws.",
            DiagnosticsWarning,
            stacklevel=3,
        )
    return outlook


def _fits(
    tables: Sequence[Runs], models: Sequence[Model], engine: str, *, client: Any, **options: Any
) -> tuple[Posterior, ...]:
    """Posteriors by the batch engine or by another; what is told of each is told of all later."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiagnosticsWarning)
        if engine == NAME:
            return tuple(fit_many(tables, models, client=client, **options))
        if client is not None:
            raise UsageError(
                f"client= spreads the tables of engine '{NAME}' and was given beside "
                f"engine='{engine}'; leave out one of them."
            )
        return tuple(
            fit(table, model, engine=engine, **options)
            for table, model in zip(tables, models, strict=True)
        )


def outlook_of(
    posteriors: Mapping[str, Posterior],
    *,
    cuts: Sequence[float] | None,
    seed: int,
    progress: Progress | None,
) -> Outlook:
    """Refit the laws of posteriors of one table below each cut, and forecast what lies above.

    Parameters
    ----------
    posteriors
        By name, of one table.
    cuts
        Sizes at which to cut; at quantiles of the runs by default.
    seed, progress
        As for `fit_many`.
    """
    tables = [post.observed for post in posteriors.values() if post.observed is not None]
    # Likelihoods may read columns of their own: the table with most of them has all.
    runs = max(tables, key=lambda table: table.table.shape[1])
    models: dict[str, Model] = {}
    for name, post in posteriors.items():
        assert post.model is not None
        models[name] = post.model
    least = max(len(model.free) for model in models.values()) + 2
    recipes = {name: recipe_of(model) for name, model in models.items()}
    divided = divide(runs, cuts, least)
    return look_ahead(runs, recipes, divided, seed=seed, progress=progress)


def recipe_of(model: Model) -> Recipe:
    """How a model's like is made for a smaller table.

    Priors that are the defaults of its own table become those of the smaller one, so that nothing
    of the future is known; priors that the user set stay.
    """

    def make(runs: Runs) -> Model:
        fresh = Model.for_runs(
            model.law, runs, likelihood=model.likelihood, drift=model.drift, prior=model.stated
        )
        defaults = Model.at(
            model.law,
            pivot=model.priors.pivot,
            level=float(np.exp(_level(model))),
            likelihood=model.likelihood,
            prior=model.stated,
        )
        kept = {
            name: prior
            for name, prior in model.priors.table.items()
            if name in defaults.priors.table
            and not _same(prior, defaults.priors.table[name])
            and not is_default_reducible(name, prior)
        }
        return fresh.stating(kept)

    return make


def _level(model: Model) -> float:
    """Log of the loss to expect at the pivot, as the model's default priors know it."""
    if "L_pivot" not in model.priors.table:  # it follows from what is stated
        middle = model.law.logs(model.starting_point(), parameters_only=True)
        return float(model.law.log_loss(middle, model.priors.log_pivot, np))
    prior = model.priors.table["L_pivot"]
    return prior.arguments.get("mu", 1.0) if prior.family == "LogNormal" else 1.0


def _same(prior: Any, default: Any) -> bool:
    """Whether two priors agree to rounding."""
    if prior.family != default.family:
        return False
    pairs = zip(prior.arguments.values(), default.arguments.values(), strict=True)
    return all(abs(a - b) <= 1e-9 * max(1.0, abs(a)) for a, b in pairs)


def _alike(models: list[Model]) -> list[Model]:
    """Models with the first one's noise, whose scale of reference is that of its own table."""
    return [replace(model, likelihood=models[0].likelihood) for model in models]


def refused(posteriors: Sequence[Posterior]) -> int:
    """How many of some posteriors the gate refuses."""
    return sum(post.diagnosis.status is Status.REFUSE for post in posteriors)


def future_scores(outlook: Outlook) -> pd.DataFrame:
    """Log score and error of every law, averaged over the cuts; one row a law."""
    rows = {
        name: {
            "log_score": float(np.mean([one.log_score for one in forecasts])),
            "rmse": float(np.sqrt(np.mean([one.rmse**2 for one in forecasts]))),
            "coverage_90": float(np.mean([one.coverage(0.9) for one in forecasts])),
            "cuts": len(forecasts),
        }
        for name, forecasts in outlook.forecasts.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("law")
