"""How much should groups share? Shared exponents, partial pooling and separate fits, held out."""

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd

from bayescale.errors import DiagnosticsWarning, RunsError
from bayescale.fitting.fit import fit
from bayescale.fitting.groups import fit_groups, group_model, with_groups
from bayescale.posteriors.groups import GroupPosterior
from bayescale.posteriors.posterior import Posterior
from bayescale.runs.table import Runs, read_runs
from bayescale.validation.hold_out import HoldOut, hold_out
from theory.declaration.abstract_law import AbstractLaw
from theory.declaration.symbols import Role

ALL = "all groups"
"""Row of the table for all groups together."""


def pooling_comparison(
    runs: Runs | pd.DataFrame | str | os.PathLike,
    law: str | AbstractLaw = "chinchilla",
    *,
    groups: str | Sequence[str],
    held_out: np.ndarray | Callable[[pd.DataFrame], Any],
    shared: Sequence[str] | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Score three ways of sharing between groups on runs that none of them saw.

    Parameters
    ----------
    runs, law, groups
        See `fit_groups`.
    held_out
        Which runs to hold out: a mask (run,), or a function from the table to one. The largest
        runs, to learn how each extrapolates.
    shared
        Coordinates that are the same in all groups in the first of the three; the law's exponents
        by default.
    **options
        Passed to the fits: likelihood, prior, engine, draws, chains, seed.

    Returns
    -------
    pandas.DataFrame
        Index: pooling (``"shared exponents"``, ``"partial pooling"``, ``"separate fits"``) and
        group, with ``"all groups"`` first. Columns: ``n_runs``, ``log_score``, ``rmse``,
        ``coverage``, ``width`` (see `HoldOut`) and ``status`` of the gate; refused fits are scored
        all the same.

    Raises
    ------
    RunsError
        If no run is held out, or a held-out group has no run left to fit.
    """
    table, column = with_groups(runs if isinstance(runs, Runs) else read_runs(runs), groups)
    out = np.asarray(held_out(table.table) if callable(held_out) else held_out)
    kept, new = table.select(~out), table.select(out)
    labels = [str(label) for label in sorted(set(new.column(column)))]
    if unseen := sorted(set(labels) - set(kept.column(column))):
        raise RunsError(
            f"{table.name}: all runs of group {unseen[0]} are held out; leave some of each group."
        )
    base = group_model(kept, law, column, **_of_model(options))
    exponents = [p.name for p in base.law.parameters if p.role is Role.EXPONENT]
    chosen = [n for n in exponents if n in base.free] if shared is None else list(shared)
    scores = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiagnosticsWarning)
        for name, coordinates in (("shared exponents", chosen), ("partial pooling", [])):
            together = fit_groups(kept, law, groups=column, shared=coordinates, **options)
            scores.append(score_groups(together, new).assign(pooling=name))
        alone = {k: v for k, v in options.items() if k not in ("likelihood", "prior")}
        fits = {
            label: fit(_of_group(kept, column, label), base.alone(), **alone) for label in labels
        }
        scores.append(_scored(fits, new, column).assign(pooling="separate fits"))
    return pd.concat([score.set_index("pooling", append=True).swaplevel() for score in scores])


def score_groups(posterior: GroupPosterior, runs: Runs) -> pd.DataFrame:
    """Score each group's posterior on its held-out runs, and all together.

    Parameters
    ----------
    posterior
        Fitted to other runs.
    runs
        Held-out runs with the column of the group.

    Returns
    -------
    pandas.DataFrame
        Index: group, ``"all groups"`` first. Columns: see `pooling_comparison`.
    """
    column = posterior.pooling.column
    labels = [str(label) for label in sorted(set(runs.column(column)))]
    return _scored({label: posterior.group(label) for label in labels}, runs, column)


def _scored(posteriors: dict[str, Posterior], runs: Runs, column: str) -> pd.DataFrame:
    scores = {
        label: hold_out(posterior, _of_group(runs, column, label), force=True)
        for label, posterior in posteriors.items()
    }
    status = {label: str(posterior.diagnosis.status) for label, posterior in posteriors.items()}
    status[ALL] = max(status.values(), key=["ok", "warn", "refuse"].index)
    counts = np.array([score.n_runs for score in scores.values()])

    def mean(values: list[float]) -> float:
        return float(np.average(values, weights=counts))

    each = list(scores.values())
    total = HoldOut(
        n_runs=int(counts.sum()),
        log_score=mean([score.log_score for score in each]),
        rmse=mean([score.rmse**2 for score in each]) ** 0.5,
        coverage=mean([score.coverage for score in each]),
        width=mean([score.width for score in each]),
    )
    rows = {label: asdict(score) for label, score in {ALL: total, **scores}.items()}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("group")
    return table.assign(status=[status[str(label)] for label in table.index])


def _of_group(runs: Runs, column: str, label: str) -> Runs:
    chosen = runs.select(runs.column(column).astype(str) == label)
    return replace(chosen, name=f"{runs.name}, {label}")


def _of_model(options: dict[str, Any]) -> dict[str, Any]:
    return {name: options[name] for name in ("likelihood", "prior") if name in options}
