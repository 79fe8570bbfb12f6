"""`fit_groups`: one law for groups of runs whose coordinates differ, partially pooled."""

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import xarray as xr

from bayescale import _centring as centring
from bayescale import engines
from bayescale._fit import to_tree
from bayescale.diagnose import (
    Diagnosis,
    Status,
    diagnose_chains,
    diagnose_importance,
    diagnose_starts,
)
from bayescale.engines.engine import Draws, Progress
from bayescale.errors import DiagnosticsWarning, PosteriorFileError, RunsError, UsageError
from bayescale.likelihood import AbstractLikelihood
from bayescale.model import Model
from bayescale.pooling import SPREAD, Pooling
from bayescale.posterior import Posterior, record_of
from bayescale.prior import Prior
from bayescale.runs import Runs, read_runs, require_domain, require_identifiable
from theory.errors import did_you_mean
from theory.law import AbstractLaw

DIMS = ("chain", "draw")


@dataclass(frozen=True, eq=False, repr=False)
class GroupPosterior:
    """Draws from the joint posterior of groups of runs and of the population they come from.

    Made by `fit_groups` or by `GroupPosterior.load`.

    Parameters
    ----------
    joint
        What was sampled: population coordinates, spreads and offsets, as a `Posterior` whose
        model is pooled. Its own predictions are those of the population's centre.
    """

    joint: Posterior

    def __repr__(self) -> str:
        sizes = self.joint.draws.sizes
        return (
            f"GroupPosterior('{self.joint.law.name}', {len(self.groups)} groups, "
            f"{sizes['chain']} x {sizes['draw']} draws, engine {self.joint.record['engine']}, "
            f"{self.joint.record['n_runs']} runs, diagnostics {self.diagnose().status})"
        )

    @property
    def model(self) -> Model:
        """The pooled model."""
        return cast(Model, self.joint.model)

    @property
    def pooling(self) -> Pooling:
        """Which coordinates differ between which groups."""
        return cast(Pooling, self.model.pooling)

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups."""
        return self.pooling.groups

    @cached_property
    def coordinates(self) -> dict[str, np.ndarray]:
        """Coordinates and noise parameters of each group; arrays (chain, draw, group)."""
        shape = (*self._sites["sigma"].shape, len(self.groups))
        found = self._at(np.arange(len(self.groups)))
        return {name: np.broadcast_to(values, shape) for name, values in found.items()}

    @cached_property
    def data(self) -> xr.DataTree:
        """ArviZ `DataTree`: what the fit gave, and ``groups``.

        Group ``groups`` holds the coordinates, noise parameters and the law's own parameters of
        each group, dims (chain, draw, group).
        """
        natural = self.model.law.values(self.model.parameters(self.coordinates, np))
        values = {n: ((*DIMS, "group"), v) for n, v in {**self.coordinates, **natural}.items()}
        tree = self.joint.data.copy()
        tree["groups"] = xr.DataTree(xr.Dataset(values, self.joint.draws.coords))
        return tree

    def group(self, name: str) -> Posterior:
        """Posterior of one group: summarises, predicts and plans like any other.

        Raises
        ------
        UsageError
            If there is no such group.
        """
        if name not in self.groups:
            raise UsageError(
                f"no group called '{name}'; there are {', '.join(self.groups)}."
                f"{did_you_mean(name, self.groups)}"
            )
        index = self.groups.index(name)
        coordinates = {site: values[..., index] for site, values in self.coordinates.items()}
        mine = self._observed.column(self.pooling.column).astype(str) == name
        return self._posterior(coordinates, name, self._observed.select(mine))

    def new_group(self, seed: int = 0) -> Posterior:
        """Posterior of a group of which no run was seen: the population and a fresh offset.

        Parameters
        ----------
        seed
            Seed of the offsets.
        """
        rng = np.random.default_rng(seed)
        coordinates = self.pooling.anew(self._sites, self.model.priors, rng)
        return self._posterior(coordinates, "a new group", self._observed)

    @property
    def population(self) -> Posterior:
        """Posterior of the population's centre: of the group whose offsets are zero."""
        centre = self.pooling.population(self._sites)
        return self._posterior(centre, "the population", self._observed)

    def summary(self, *, groups: bool = False) -> pd.DataFrame:
        """Posterior of population and spreads, or of each group's parameters.

        A spread is the standard deviation between groups on the real line of the coordinate: of
        the logarithm of a positive one, of the logit of a fraction.

        Parameters
        ----------
        groups
            Give the law's own parameters and the noise parameters of each group instead.

        Returns
        -------
        pandas.DataFrame
            Index: parameter, or group and parameter. Columns: mean, sd, q05, q50, q95, r_hat,
            ess_bulk, ess_tail.
        """
        if groups:
            tables = {name: self.group(name).summary() for name in self.groups}
            return pd.concat(tables, names=["group"])
        sites = {n: v for n, v in self._sites.items() if not self.model.shapes[n]}
        order = [n for n in sites if not n.endswith(SPREAD)]
        names = [found for n in order for found in (n, n + SPREAD) if found in sites]
        return self.joint.describe({name: sites[name] for name in names})

    def diagnose(self) -> Diagnosis:
        """The gate's verdict on population, spreads and every group's coordinates."""
        return self.joint.diagnosis

    def save(self, path: str | os.PathLike) -> Path:
        """Write everything to a netCDF file; see `Posterior.save`."""
        return self.joint.save(path)

    @classmethod
    def load(cls, path: str | os.PathLike, *, law: AbstractLaw | None = None) -> "GroupPosterior":
        """Read what `save` wrote; see `Posterior.load`.

        Raises
        ------
        PosteriorFileError
            If the file cannot be used, or holds the posterior of a single group.
        """
        joint = Posterior.load(path, law=law)
        if joint.model is None or joint.model.pooling is None:
            raise PosteriorFileError(
                f"'{path}' holds a posterior without groups; read it with bayescale.Posterior.load."
            )
        return cls(joint)

    @cached_property
    def _sites(self) -> dict[str, np.ndarray]:
        """What was sampled or fixed: (chain, draw), offsets (chain, draw, group)."""
        return {name: self.joint.draws[name].to_numpy() for name in self.model.priors.table}

    @property
    def _observed(self) -> Runs:
        return cast(Runs, self.joint.observed)

    def _at(self, group: np.ndarray) -> dict[str, Any]:
        shapes = self.model.shapes
        sites = {n: v if shapes[n] else v[..., None] for n, v in self._sites.items()}
        return self.pooling.in_groups(sites, self.model.priors, group, np)

    def _posterior(
        self, coordinates: Mapping[str, np.ndarray], label: str, runs: Runs
    ) -> Posterior:
        """Ordinary posterior with these draws of the coordinates."""
        model, stats = self.model.alone(), self.joint.data["sample_stats"].data_vars
        result = Draws(coordinates, {str(name): v.to_numpy() for name, v in stats.items()})
        record = {**self.joint.record, "n_runs": len(runs), "group": label}
        tree = to_tree(model, runs, result)
        return replace(self.joint, model=model, data=tree, record=record)


def fit_groups(
    runs: Runs | pd.DataFrame | str | os.PathLike,
    law: str | AbstractLaw = "chinchilla",
    *,
    groups: str | Sequence[str] = "corpus",
    shared: Sequence[str] = (),
    separate: Sequence[str] = (),
    likelihood: str | AbstractLikelihood = "studentt",
    prior: Mapping[str, Prior | float] | None = None,
    engine: str = "numpyro",
    draws: int | None = None,
    chains: int = 4,
    seed: int = 0,
    progress: Progress | None = None,
) -> GroupPosterior:
    """Fit a law to groups of runs at once, so that groups with few runs borrow from the others.

    Each coordinate of the law and the noise scale differ between groups around a population, with
    a spread that is learned (`bayescale.pooling`).

    Parameters
    ----------
    runs
        A runs table with a column that names the group, or what `read_runs` reads.
    law
        A law, its name, or a formula.
    groups
        Column of the group, or several whose entries are joined: ``("corpus", "evaluation")``
        makes groups such as ``"rpj/c4_val"``.
    shared
        Coordinates that are the same in all groups, such as the exponents.
    separate
        Coordinates that are not pooled: each group has its own, with the default prior.
    likelihood
        A noise model or its name; ``"shared(column=run)"`` where rows of several groups are one
        run seen several times.
    prior
        Coordinate, noise parameter or spread (``"alpha_spread"``) -> `Prior`, in place of the
        default; a number fixes it.
    engine
        ``"numpyro"``; ``"laplace"`` covers a hierarchical posterior only with very few groups.
    draws, chains, seed, progress
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
        If the posterior failed its diagnostics.

    Notes
    -----
    Gelman and Hill (2007), chapters 11 to 13; the sampler's coordinates are those of Betancourt
    and Girolami (2015), see `bayescale._centring`.
    """
    for name, number, least in (("chains", chains, 1), ("draws", draws, 4), ("seed", seed, 0)):
        if number is not None and number < least:
            raise UsageError(f"{name} must be at least {least}; got {number}.")
    sampler = engines.get(engine)
    table, column = with_groups(runs if isinstance(runs, Runs) else read_runs(runs), groups)
    model = group_model(
        table, law, column, shared=shared, separate=separate, likelihood=likelihood, prior=prior
    )
    free = [name for name in model.alone().free if name in model.law.chart.names]
    require_identifiable(table, [r.name for r in model.law.resources], len(free))
    require_domain(table, model.law.domain, model.law.name)
    draw = centring.sample if sampler.name == "numpyro" else sampler.sample
    told = progress or (lambda stage: None)
    result = draw(model, table, draws=draws, chains=chains, seed=seed, progress=told)
    record = record_of(table, engine=engine, seed=seed, facts=result.facts)
    tree = to_tree(model, table, result)
    found = GroupPosterior(Posterior(model.law, model, tree, Diagnosis(), record))
    verdict = _judged(found) if sampler.markov_chain else diagnose_importance(result.facts)
    verdict += diagnose_starts(result.facts)
    if verdict.status is not Status.OK:
        warnings.warn(
            f"diagnostics: {verdict.status}. {' '.join(verdict.reasons)}",
            DiagnosticsWarning,
            stacklevel=2,
        )
    return GroupPosterior(replace(found.joint, diagnosis=verdict))


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
    law: str | AbstractLaw,
    column: str,
    *,
    shared: Sequence[str] = (),
    separate: Sequence[str] = (),
    likelihood: str | AbstractLikelihood = "studentt",
    prior: Mapping[str, Prior | float] | None = None,
) -> Model:
    """The pooled model of a table; see `fit_groups`.

    Raises
    ------
    UsageError
        If a name is not that of a coordinate, or there is one group only.
    """
    given = dict(prior or {})
    base = Model.for_runs(law, runs, likelihood=likelihood)
    own = {name: value for name, value in given.items() if name in base.priors.table}
    base = replace(base, priors=base.priors.replace(own))
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
    return replace(model, priors=model.priors.replace({**held, **rest}))


def _held(model: Model, name: str) -> dict[str, float]:
    """Centre and spread at those of the coordinate's own prior, on its real line."""
    prior = model.priors.table[name]
    support = cast(Pooling, model.pooling).support(name, model.priors)
    low, middle, high = (
        float(support.to_real(float(prior.scipy().ppf(level)), np))
        for level in (0.15866, 0.5, 0.84134)
    )
    return {name: float(support.from_real(middle, np)), name + SPREAD: (high - low) / 2.0}


def _judged(found: GroupPosterior) -> Diagnosis:
    """Judge the chains by population, spreads and the coordinates of every group."""
    sites = {n: v for n, v in found._sites.items() if not found.model.shapes[n]}
    values: dict[str, Any] = {n: (DIMS, v) for n, v in sites.items() if np.ptp(v) > 0}
    for name in found.pooling.coordinates:
        values[f"{name} by group"] = ((*DIMS, "group"), found.coordinates[name])
    judged = xr.Dataset(values, found.joint.draws.coords)
    stats = found.joint.data["sample_stats"].to_dataset()
    tree = xr.DataTree.from_dict({"posterior": judged, "sample_stats": stats})
    return diagnose_chains(tree, [str(name) for name in judged.data_vars])
