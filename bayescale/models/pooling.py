"""Groups of runs that share a law but not all of its coordinates: partial pooling.

A pooled coordinate c of group g is, on the real line of its prior's support (the logarithm of a
positive coordinate, the logit of a fraction),

    t(c_g) = t(c) + c_spread * c_offset_g ,    c_offset_g ~ Normal(0, 1),

with c the population's own coordinate and its default prior. A spread near zero is complete
pooling, a large one separate fits; the posterior says which. A coordinate that is not pooled is
the same in all groups. (Gelman and Hill 2007, chapters 11 to 13.)

The model is always written with offsets. Which coordinates the sampler moves in is another matter
(`bayescale.engines.hierarchical`), because neither the offsets nor the groups' own coordinates are
good for all data (Betancourt and Girolami 2015).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np

from bayescale.distributions.families import FAMILIES
from bayescale.distributions.prior import Prior
from bayescale.distributions.support import POSITIVE, REAL, UNIT, Support
from bayescale.errors import RunsError
from bayescale.models.priors import Priors
from bayescale.runs.table import Runs
from theory.declaration.chart import Chart, Kind
from theory.declaration.namespace import ArrayNamespace

SPREAD, OFFSET = "_spread", "_offset"

SPREADS: dict[Kind, float] = {
    Kind.LEVEL: 0.3,
    Kind.FLOOR_FRACTION: 0.5,
    Kind.SHARE: 0.5,
    Kind.PARAMETER: 0.2,
    Kind.KERNEL: 0.5,
    Kind.STATED: 0.5,
}
"""Kind of coordinate -> scale of the HalfNormal prior of its spread between groups."""

NOISE_SPREAD = 0.5
"""Scale of the HalfNormal prior of the spread of a noise parameter's logarithm."""


@dataclass(frozen=True)
class Pooling:
    """Which coordinates differ between which groups.

    Parameters
    ----------
    column
        Column of the table that names the group of each run.
    groups
        Names of the groups.
    coordinates
        Coordinates and noise parameters that differ between groups, partially pooled.
    """

    column: str
    groups: tuple[str, ...]
    coordinates: tuple[str, ...]

    def priors(self, chart: Chart) -> dict[str, Prior]:
        """Priors of the spreads and, one a group, of the offsets."""
        kinds = {c.name: c.kind for c in chart.coordinates}
        out = {}
        for name in self.coordinates:
            scale = SPREADS[kinds[name]] if name in kinds else NOISE_SPREAD
            out[name + SPREAD] = Prior("HalfNormal", sigma=scale)
            out[name + OFFSET] = Prior("Normal", mu=0, sigma=1)
        return out

    def codes(self, runs: Runs) -> np.ndarray:
        """Index of each run's group, (run,).

        Raises
        ------
        RunsError
            If a run belongs to no known group.
        """
        labels = runs.column(self.column).astype(str)
        known = {group: i for i, group in enumerate(self.groups)}
        if unknown := sorted(set(labels) - set(known)):
            raise RunsError(
                f"{runs.name}: column '{self.column}' names the group {unknown[0]}, but the model "
                f"has {', '.join(self.groups)}."
            )
        return np.array([known[label] for label in labels])

    def support(self, name: str, priors: Priors) -> Support:
        """Where a pooled coordinate lives: on whose real line the groups scatter."""
        prior = priors.table[name]
        if prior.is_fixed:
            return {(0.0, inf): POSITIVE, (0.0, 1.0): UNIT}.get(priors.bounds[name], REAL)
        return FAMILIES[prior.family].support(**prior.arguments)

    def in_groups(
        self, sites: Mapping[str, Any], priors: Priors, group: Any, ops: ArrayNamespace
    ) -> dict[str, Any]:
        """Coordinates of the group with an index, or of each row for an array of indices.

        Parameters
        ----------
        sites
            Population coordinates and spreads, scalars that broadcast with (..., run); offsets
            of shape (..., group).
        priors
            Priors of the population coordinates, whose support says on which scale they pool.
        group
            Indices of groups, shape (run,), or one.
        ops
            Array namespace.
        """
        out = self.population(sites)
        for name in self.coordinates:
            support = self.support(name, priors)
            offset = sites[name + OFFSET][..., group]
            moved = support.to_real(sites[name], ops) + sites[name + SPREAD] * offset
            out[name] = support.from_real(moved, ops)
        return out

    def at_rows(self, values: Mapping[str, Any], group: Any) -> dict[str, Any]:
        """Values (..., group) at the group of each row, (..., run); others are left as they are."""
        count = len(self.groups)
        return {n: v[..., group] if _shape(v)[-1:] == (count,) else v for n, v in values.items()}

    def population(self, sites: Mapping[str, Any]) -> dict[str, Any]:
        """Coordinates of the population's centre: all sites but spreads and offsets."""
        return {n: v for n, v in sites.items() if not n.endswith((SPREAD, OFFSET))}

    def anew(
        self, sites: Mapping[str, Any], priors: Priors, rng: np.random.Generator
    ) -> dict[str, Any]:
        """Coordinates of a group that was not seen: a fresh offset for each draw.

        Parameters
        ----------
        sites
            Population coordinates and spreads, of one shape.
        priors
            See `in_groups`.
        rng
            Draws the offsets.
        """
        fresh = {
            name + OFFSET: rng.standard_normal((*np.shape(sites[name]), 1))
            for name in self.coordinates
        }
        return self.in_groups({**sites, **fresh}, priors, 0, np)


def _shape(value: Any) -> tuple[int | None, ...]:
    """Shape of an array, or the static one of a variable of PyTensor."""
    return value.type.shape if hasattr(value, "type") else np.shape(value)
