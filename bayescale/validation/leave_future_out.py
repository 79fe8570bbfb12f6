"""Leave the future out: fit the smaller runs, forecast the larger ones, at several cuts.

That is the direction in which a scaling law is used. All fits, of every law at every cut, are
tables of `fit_many`, or fits of another engine.
"""

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from bayescale.diagnosis import Status
from bayescale.errors import DiagnosticsWarning, UsageError
from bayescale.fitting.chunk import NAME
from bayescale.fitting.finished import Finished
from bayescale.fitting.fit import fit
from bayescale.fitting.many import counted, fit_many
from bayescale.models.model import Model
from bayescale.models.recipe import Recipe, recipe_of
from bayescale.posteriors.posterior import Posterior
from bayescale.progress import Progress, shown, within
from bayescale.runs.cuts import Cut, divide
from bayescale.runs.table import Runs
from bayescale.validation.forecast import Forecast, forecast


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


def look_ahead(
    runs: Runs,
    recipes: Mapping[str, Recipe],
    cuts: Sequence[Cut],
    *,
    engine: str = NAME,
    seed: int = 0,
    progress: Progress | None = None,
    client: Any = None,
    resume: str | os.PathLike | None = None,
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
    seed, progress, client, resume
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
    with shown(progress) as tell:
        for index, (name, recipe) in enumerate(recipes.items()):
            models = _alike([recipe(table) for table in past])
            place = index / len(recipes), (index + 1) / len(recipes)
            step = within(tell, *place, f"{name} below {len(cuts)} cuts: ")
            step("fitting")
            posteriors[name] = _fits(
                past, models, engine, seed=seed, progress=step, client=client, resume=resume
            )
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
    tables: Sequence[Runs],
    models: Sequence[Model],
    engine: str,
    *,
    seed: int,
    progress: Progress,
    client: Any,
    resume: str | os.PathLike | None,
) -> tuple[Posterior, ...]:
    """Posteriors by the batch engine or by another; what is told of each is told of all later."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiagnosticsWarning)
        if engine == NAME:
            fits = fit_many(
                tables, models, seed=seed, progress=progress, client=client, resume=resume
            )
            return tuple(fits)
        if client is not None:
            raise UsageError(
                f"client= spreads the tables of engine '{NAME}' and was given beside "
                f"engine='{engine}'; leave out one of them."
            )
        finished = None if resume is None else Finished.at(resume)
        found = []
        for index, (table, model) in enumerate(zip(tables, models, strict=True)):
            place = index / len(tables), (index + 1) / len(tables)
            step = within(progress, *place, f"cut {index + 1} of {len(tables)}: ")
            make = partial(fit, table, model, engine=engine, seed=seed, progress=step)
            kept = finished and finished.posterior(table, model, engine, seed, make)
            found.append(kept or make())
        return tuple(found)


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
