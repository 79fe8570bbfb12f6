"""`fit_groups`: one law for groups of runs whose coordinates differ, partially pooled."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pandas as pd

from bayescale import engines
from bayescale.aliases import with_aliases
from bayescale.distributions.prior import Prior
from bayescale.engines.engine import Sampling
from bayescale.errors import RunsError, UsageError
from bayescale.fitting.resolve import Fittable, require_options, require_usable, resolve
from bayescale.models.defaults import LAW
from bayescale.models.drift_reference import REFERENCE, Drifting
from bayescale.models.likelihood import AbstractLikelihood
from bayescale.models.model import Model
from bayescale.models.pooling import SPREAD, Pooling
from bayescale.posteriors.checks.audited import audited
from bayescale.posteriors.checks.gate import judged_posterior
from bayescale.posteriors.groups import GroupPosterior
from bayescale.progress import Progress, shown
from bayescale.runs.table import Runs, read_runs
from theory.declaration.chart import REDUCIBLE
from theory.declaration.stated_chart import statable
from theory.errors import did_you_mean


@with_aliases
def fit_groups(
    runs: Runs | pd.DataFrame | Any,
    law: Fittable = LAW,
    *,
    groups: str | Sequence[str] = "corpus",
    shared: Sequence[str] = (),
    separate: Sequence[str] = (),
    likelihood: str | AbstractLikelihood | None = None,
    prior: Mapping[str, Prior | float] | None = None,
    drift: Drifting = REFERENCE,
    engine: str = "numpyro",
    draws: int | None = None,
    chains: int = 4,
    seed: int = 0,
    progress: Progress | None = None,
) -> GroupPosterior:
    """Fit a law to groups of runs at once, so that groups with few runs borrow from the others.

    Each coordinate of the law and the noise scale differ between groups around a population, with
    a spread that is learned (`bayescale.models.pooling`).

    Parameters
    ----------
    runs
        A runs table with a column that names the group, or what `read_runs` reads.
    law
        A law, its name, a formula, or a `Model` of one group; see `bayescale.fit` for what goes
        beside a model.
    groups
        Column of the group, or several whose entries are joined: ``("corpus", "evaluation")``
        makes groups such as ``"rpj/c4_val"``.
    shared
        Coordinates that are the same in all groups, such as the exponents.
    separate
        Coordinates that are not pooled: each group has its own, with the default prior.
    likelihood
        As for `bayescale.fit`; ``"shared(column=run)"`` where rows of several groups are one run
        seen several times.
    prior
        Parameter of the law, coordinate, noise parameter or spread (``"alpha_spread"``) ->
        `Prior`, in place of the default; a number fixes it. A stated floor or amplitude is that of
        the population, and groups differ in it as in a coordinate (`Model.stating`).
    engine
        A name in ``bs.engines.ENGINES``. An approximation around the mode covers a hierarchical
        posterior only with very few groups.
    drift, draws, chains, seed, progress
        See `bayescale.fit`.

    Returns
    -------
    GroupPosterior

    Raises
    ------
    RunsError
        If the table cannot be used, lacks a column, or does not identify the law.
    UsageError
        If a name or number among the options is wrong, or there is one group only.

    Warns
    -----
    DiagnosticsWarning
        If the posterior failed its diagnostics, or the runs of a group or its law are doubtful.

    Notes
    -----
    Gelman and Hill (2007), chapters 11 to 13; the sampler's coordinates are those of Betancourt
    and Girolami (2015), see `bayescale.engines.hierarchical`.
    """
    require_options(chains=chains, draws=draws, seed=seed)
    sampler = engines.get(engine)
    table, column = with_groups(runs if isinstance(runs, Runs) else read_runs(runs), groups)
    model = group_model(
        table,
        law,
        column,
        shared=shared,
        separate=separate,
        likelihood=likelihood,
        prior=prior,
        drift=drift,
    )
    require_usable(table, model)
    with shown(progress) as tell:
        result = sampler.sample(model, table, Sampling(draws, chains, seed, tell))
        tell("auditing the table")
        told = replace(result, facts={**result.facts, **audited(model, table, seed=seed)})
        tell("judging the posterior")
        joint = judged_posterior(model, table, told, engine=engine, seed=seed)
    joint.diagnosis.warn(stacklevel=2)
    return GroupPosterior(joint)


def with_groups(runs: Runs, groups: str | Sequence[str]) -> tuple[Runs, str]:
    """The table with one column that names the group, and the name of that column.

    Raises
    ------
    RunsError
        If a column is absent, or a row has no entry.
    UsageError
        If no column is named.
    """
    columns = [groups] if isinstance(groups, str) else list(groups)
    if not columns:
        raise UsageError("groups names no column; give one such as 'corpus', or several.")
    for name in columns:
        if np.any(empty := pd.isna(runs.column(name))):
            row = int(np.flatnonzero(empty)[0]) + 1
            raise RunsError(
                f"{runs.name}: column '{name}' names no group in row {row}; fill it in, or remove "
                "the row."
            )
    texts = [runs.table[name].astype(str) for name in columns]
    joined = texts[0].str.cat(texts[1:], sep="/") if len(texts) > 1 else texts[0]
    column = "+".join(columns)  # xarray allows no slash in a name
    return replace(runs, table=runs.table.assign(**{column: joined})), column


def group_model(
    runs: Runs,
    law: Fittable,
    column: str,
    *,
    shared: Sequence[str] = (),
    separate: Sequence[str] = (),
    likelihood: str | AbstractLikelihood | None = None,
    prior: Mapping[str, Prior | float] | None = None,
    drift: Drifting = REFERENCE,
) -> Model:
    """The pooled model of a table; see `fit_groups`.

    Raises
    ------
    UsageError
        If a name is not that of a coordinate, there is one group only, or the model has groups
        already.
    """
    given = dict(prior or {})
    base = resolve(law, runs, likelihood=likelihood, drift=drift)
    if base.pooling is not None:
        raise UsageError(
            f"the model is pooled by column '{base.pooling.column}' already; give the model of one "
            "group (`model.alone()`), or fit the pooled one with bayescale.fit."
        )
    # What is not of the model of one group, misspelt names too, is for the pooled one to judge.
    names = {*base.priors.table, *statable(base.law.chart), REDUCIBLE}
    own = {name: value for name, value in given.items() if name in names}
    base = base.stating(own)
    pooled = base.pooled(column, sorted(set(runs.column(column).astype(str))))
    known = cast(Pooling, pooled.pooling).coordinates
    for option, names in (("shared", shared), ("separate", separate)):
        if wrong := [name for name in names if name not in known]:
            raise UsageError(
                f"{option}= names '{wrong[0]}', but what can differ between groups is "
                f"{', '.join(known)}.{did_you_mean(wrong[0], known)}"
            )
    if both := [name for name in shared if name in separate]:
        raise UsageError(
            f"'{both[0]}' is named in shared= and in separate=; it can only be one of them."
        )
    if not (differ := [name for name in known if name not in shared]):
        raise UsageError(
            f"all of {', '.join(known)} are shared, so the groups do not differ; leave one out of "
            "shared=, or fit the table with bayescale.fit."
        )
    model = base.pooled(column, cast(Pooling, pooled.pooling).groups, differ)
    held = {key: value for name in separate for key, value in _held(model, name).items()}
    rest = {name: value for name, value in given.items() if name not in own}
    return model.stating({**held, **rest})


def _held(model: Model, name: str) -> dict[str, float]:
    """Centre and spread at those of the coordinate's own prior, on its real line."""
    prior = model.priors.table[name]
    support = cast(Pooling, model.pooling).support(name, model.priors)
    low, middle, high = (
        float(support.to_real(float(prior.scipy().ppf(level)), np))
        for level in (0.15866, 0.5, 0.84134)
    )
    return {name: float(support.from_real(middle, np)), name + SPREAD: (high - low) / 2.0}
