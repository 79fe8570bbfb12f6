"""The joint posterior of groups of runs, of each group, and of the population."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import ndtri

from bayescale.diagnosis import Diagnosis, Result
from bayescale.distributions.prior import Prior
from bayescale.distributions.support import POSITIVE, UNIT
from bayescale.errors import PosteriorFileError, UsageError
from bayescale.models.draws import Draws
from bayescale.models.model import Model
from bayescale.models.pooling import SPREAD, Pooling
from bayescale.posteriors.labelled import to_tree
from bayescale.posteriors.posterior import Posterior
from bayescale.runs.table import Runs
from theory.declaration.abstract_law import AbstractLaw
from theory.errors import did_you_mean

DIMS = ("chain", "draw")

LEVELS = (np.arange(1000) + 0.5) / 1000
"""Probabilities at which a distribution is averaged."""


@dataclass(frozen=True, eq=False, repr=False)
class GroupPosterior(Result):
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
    def figure(self) -> str:
        """The kind of figure that `plot` draws by default."""
        return "groups"

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
        shape = (*(self.joint.draws.sizes[name] for name in DIMS), len(self.groups))
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
        return self._posterior(coordinates, name, self._observed.select(mine), self._own_priors())

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
            tables = {name: self.group(name).summary(prior=False) for name in self.groups}
            return pd.concat(tables, names=["group"])
        sites = {n: v for n, v in self._sites.items() if not self.model.shapes[n]}
        order = [n for n in sites if not n.endswith(SPREAD)]
        names = [found for n in order for found in (n, n + SPREAD) if found in sites]
        return self.joint.describe({name: sites[name] for name in names})

    @property
    def diagnosis(self) -> Diagnosis:
        """The gate's verdict on population, spreads and every group's coordinates."""
        return self.joint.diagnosis

    def diagnose(self) -> Diagnosis:
        """The gate's verdict on population, spreads and every group's coordinates."""
        return self.diagnosis

    def to_dict(self) -> dict[str, Any]:
        """Summary of the population and of each group, as plain data, for JSON."""
        return {
            **self.joint.to_dict(),
            "params": _rows(self.summary()),
            "groups": {name: _rows(self.group(name).summary(prior=False)) for name in self.groups},
        }

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
        self,
        coordinates: Mapping[str, np.ndarray],
        label: str,
        runs: Runs,
        priors: Mapping[str, Prior] | None = None,
    ) -> Posterior:
        """Ordinary posterior with these draws of the coordinates."""
        model, stats = self.model.alone(), self.joint.data["sample_stats"].data_vars
        model = replace(model, priors=model.priors.replace(priors or {}))
        result = Draws(coordinates, {str(name): v.to_numpy() for name, v in stats.items()})
        record = {**self.joint.record, "n_runs": len(runs), "group": label}
        tree = to_tree(model, runs, result)
        return replace(self.joint, model=model, data=tree, record=record)

    def _own_priors(self) -> dict[str, Prior]:
        """Priors of what each group has for itself: where centre and spread are held.

        A group's coordinate is then Normal on the real line of its support.
        """
        held, names = self.model.fixed, self.pooling.coordinates
        found = {}
        for name in (n for n in names if n in held and n + SPREAD in held):
            support = self.pooling.support(name, self.model.priors)
            centre, spread = float(support.to_real(held[name], np)), held[name + SPREAD]
            if support == UNIT:  # the Beta of the same mean and variance
                values = support.from_real(centre + spread * ndtri(LEVELS), np)
                mean, variance = float(np.mean(values)), float(np.var(values))
                size = mean * (1.0 - mean) / variance - 1.0
                found[name] = Prior("Beta", alpha=mean * size, beta=(1.0 - mean) * size)
            else:
                family = "LogNormal" if support == POSITIVE else "Normal"
                found[name] = Prior(family, mu=centre, sigma=spread)
        return found


def _rows(table: pd.DataFrame) -> dict[str, Any]:
    return table.drop(columns="ess_tail").to_dict(orient="index")
