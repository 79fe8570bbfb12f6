"""A model: a law, its priors and a likelihood. It holds no data."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from bayescale.distributions.prior import Prior
from bayescale.errors import UsageError
from bayescale.models import defaults, likelihoods
from bayescale.models.drift import Drift
from bayescale.models.drift_reference import REFERENCE, Drifting, drift_of
from bayescale.models.formulas import AROUND_ONE, GIVEN_AS_TEXT, find_law, parse_law
from bayescale.models.likelihood import AbstractLikelihood
from bayescale.models.noise import Noise
from bayescale.models.observations import Observations
from bayescale.models.pooling import OFFSET, Pooling
from bayescale.models.priors import Priors, default_priors
from bayescale.models.simulation import Simulation, simulate
from bayescale.models.stated_priors import chart_of, state, stated_names
from bayescale.runs.table import Runs
from theory import laws
from theory.declaration.abstract_law import AbstractLaw
from theory.declaration.chart import Chart
from theory.declaration.namespace import ArrayNamespace, Environment
from theory.declaration.stated_chart import statable


@dataclass(frozen=True)
class Model:
    """A law, the priors of its coordinates and noise parameters, and a likelihood.

    Parameters
    ----------
    law
        What the mean of log loss is.
    priors
        One a coordinate and one a noise parameter, with the pivot.
    likelihood
        How log loss scatters around the law.
    pooling
        Which coordinates differ between groups of runs; None for one group.
    drift
        What the law may be wrong by beyond the runs; None where it is taken as exact.
    """

    law: AbstractLaw
    priors: Priors
    likelihood: AbstractLikelihood
    pooling: Pooling | None = None
    drift: Drift | None = None

    @classmethod
    def for_runs(
        cls,
        law: str | AbstractLaw,
        runs: Runs,
        *,
        likelihood: str | AbstractLikelihood = defaults.LIKELIHOOD,
        prior: Mapping[str, Prior | float] | None = None,
        drift: Drifting = REFERENCE,
    ) -> "Model":
        """Model with default priors scaled to a table: pivot and loss level are taken from it.

        Parameters
        ----------
        law
            A law or its name in the catalogue.
        runs
            Only the geometric mean of each resource and the median loss are used.
        likelihood
            A likelihood or its name.
        prior
            Priors that replace defaults, on parameters of the law in the user's units, on
            coordinates or on noise parameters; a number fixes what it is stated on. See `stating`.
        drift
            What the law may be wrong by beyond the runs; None takes it as exact.
        """
        law = find_law(law, columns=runs.table.columns)
        return cls.at(
            law,
            pivot={r.name: geometric_mean(runs.column(r.name)) for r in law.resources},
            level=float(np.median(runs.loss)),
            likelihood=likelihood,
            prior=prior,
            drift=drift,
        )

    @cached_property
    def chart(self) -> Chart:
        """The coordinates that are sampled: pivot coordinates, and what a prior was stated on."""
        return chart_of(self.law, self.priors.table, self.likelihood.priors())

    @property
    def stated(self) -> dict[str, Prior]:
        """What says which chart is used: priors of a floor or amplitudes, and what stays beside."""
        table = self.priors.table
        return {n: table[n] for n in stated_names(self.law, table, self.likelihood.priors())}

    def stating(self, prior: Mapping[str, Prior | float]) -> "Model":
        r"""The same model with stated priors in place of those there.

        A prior on an exponent, a shape, a noise parameter or a pivot coordinate takes the place of
        its own. One on a floor or an amplitude makes that parameter a coordinate: it is the exact
        prior of the parameter, independent of those of the other coordinates, and coordinates that
        it determines lose theirs. In the additive law a prior on E takes the place of those of
        ``floor_fraction`` and ``L_pivot``, whose rest ``reducible_pivot = L_pivot - E`` becomes a
        coordinate with a wide prior; the first amplitude takes the place of ``L_pivot``, the second
        that of ``share_N``. With priors on E, A and B the joint prior is theirs times those of
        alpha and beta (`theory.declaration.stated_chart` has the table).

        Parameters
        ----------
        prior
            Parameter or coordinate -> `Prior`; a number fixes it. A ``Normal`` on a positive
            quantity is cut off at 0.

        Raises
        ------
        UsageError
            If a name is unknown, a coordinate follows from others that are stated, a prior reaches
            beyond where its parameter lives, or the floor lies above the loss at the pivot.

        Examples
        --------
        >>> model = Model.at("chinchilla", pivot={"N": 1e8, "D": 1e10}, prior={"E": 1.6})
        >>> model.fixed["E"], model.chart.names
        (1.6, ('reducible_pivot', 'E', 'share_N', 'alpha', 'beta'))
        >>> model = model.stating({"A": 406.4, "B": Prior.around(410.7, 0.2), "alpha": 0.34})
        >>> model.free
        ('B', 'beta', 'sigma', 'nu')
        """
        own = set(statable(self.law.chart)) - set(self.priors.table)
        if self.pooling is not None and (late := sorted(own & set(prior))):
            raise UsageError(
                f"a prior on '{late[0]}' changes what is pooled; state it before, in the model of "
                "one group or as prior= of fit_groups."
            )
        noise = self.likelihood.priors()
        return replace(self, priors=state(self.priors, self.law, prior, noise))

    def pooled(
        self, column: str, groups: Sequence[str], coordinates: Sequence[str] | None = None
    ) -> "Model":
        """The same model with coordinates that differ between groups, partially pooled.

        Parameters
        ----------
        column
            Column of the table that names each run's group.
        groups
            Names of the groups, at least two.
        coordinates
            Which differ; all that are not fixed, and the noise scale, by default. The others are
            the same in all groups.

        Raises
        ------
        UsageError
            If a coordinate is unknown or fixed, or there are fewer than two groups.
        """
        known = [n for n in self.free if n in (*self.chart.names, self.likelihood.scale_name)]
        chosen = tuple(known if coordinates is None else coordinates)
        if wrong := [name for name in chosen if name not in known]:
            raise UsageError(
                f"'{wrong[0]}' cannot differ between groups; choose among {', '.join(known)}."
            )
        if len(groups) < 2:
            raise UsageError(
                f"column '{column}' names {len(groups)} group; pooling needs at least two, so "
                "fit the table as it is."
            )
        pooling = Pooling(column, tuple(map(str, groups)), chosen)
        return replace(
            self, priors=self.priors.extended(pooling.priors(self.chart)), pooling=pooling
        )

    def alone(self) -> "Model":
        """The model of one group of runs: the same without spreads and offsets."""
        if self.pooling is None:
            return self
        priors = self.priors
        table, bounds = map(self.pooling.population, (priors.table, priors.bounds))
        return replace(self, priors=Priors(table, priors.pivot, bounds), pooling=None)

    @classmethod
    def at(
        cls,
        law: str | AbstractLaw,
        *,
        pivot: Mapping[str, float],
        level: float = 2.7,
        likelihood: str | AbstractLikelihood = defaults.LIKELIHOOD,
        prior: Mapping[str, Prior | float] | None = None,
        drift: Drifting = REFERENCE,
    ) -> "Model":
        """Model with default priors at a given pivot and loss level, before any run."""
        law = find_law(law)
        known = {r.name: pivot[r.name] for r in law.resources if r.name in pivot}
        noise = likelihoods.get(likelihood).scaled_to(known)
        priors = default_priors(law, noise.priors(), pivot=pivot, level=level)
        held = {p.name: p.held for p in law.parameters if p.held is not None}
        return cls(law, priors, noise, drift=drift_of(law, drift)).stating(
            {**held, **(prior or {})}
        )

    @property
    def free(self) -> tuple[str, ...]:
        """Names of what is sampled: coordinates and noise parameters that are not fixed."""
        return tuple(name for name, prior in self.priors.table.items() if not prior.is_fixed)

    @property
    def fixed(self) -> dict[str, float]:
        """What is held at a value."""
        table = self.priors.table.items()
        return {name: prior.arguments["value"] for name, prior in table if prior.is_fixed}

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of what is sampled, by name: () but for one offset a group."""
        groups = () if self.pooling is None else (len(self.pooling.groups),)
        return {name: groups if name.endswith(OFFSET) else () for name in self.priors.table}

    def starting_point(self) -> dict[str, float]:
        """The law's own parameters at the median of every prior: where the fit begins.

        With the priors of `for_runs` it is a law through the middle of the table: the pivot is the
        geometric mean of the runs and the level their median loss.

        Returns
        -------
        dict
            Every parameter of the law by name, in the user's units.

        Examples
        --------
        >>> model = Model.at("power", pivot={"N": 1e8}, level=3.0)
        >>> start = model.starting_point()
        >>> float(model.law.loss(N=1e8, **start).round(6))
        3.0
        """
        middle = {
            name: prior.arguments["value"] if prior.is_fixed else float(prior.scipy().median())
            for name, prior in self.priors.table.items()
            if self.shapes[name] == ()
        }
        natural = self.law.values(self.parameters(middle, np))
        return {name: float(value) for name, value in natural.items()}

    def parameters(
        self,
        coordinates: Environment,
        ops: ArrayNamespace,
        log_pivot: Environment | None = None,
    ) -> dict[str, Any]:
        """Law parameters from coordinates: logarithms of the positive ones, by name.

        `log_pivot` stands in for the model's own pivot where one program serves many tables.
        """
        pivot = self.priors.log_pivot if log_pivot is None else log_pivot
        return self.chart.to_parameters(coordinates, pivot, ops)

    def observe(self, runs: Runs) -> Observations:
        """What inference needs of a table: log resources, log loss and further columns.

        Raises
        ------
        RunsError
            If the table lacks a column.
        """
        logs = {r.name: np.log(runs.column(r.name).astype(np.float64)) for r in self.law.resources}
        columns = self.likelihood.columns(runs)
        if self.pooling is not None:
            columns = columns | {"group": self.pooling.codes(runs)}
        return Observations(logs, np.log(runs.loss), columns)

    def noise(
        self,
        sites: Environment,
        rows: Observations,
        ops: ArrayNamespace,
        log_pivot: Environment | None = None,
    ) -> Noise:
        """Distribution of log loss at rows: the one definition of the likelihood.

        Parameters
        ----------
        sites
            What is sampled, and what is fixed: scalars that broadcast with (..., run), offsets of
            shape (..., group).
        rows
            The runs.
        ops
            Array namespace.
        log_pivot
            See `parameters`.
        """
        coordinates = sites
        if self.pooling is not None:
            # Once a group, not once a run.
            every = np.arange(len(self.pooling.groups))
            coordinates = self.pooling.in_groups(sites, self.priors, every, ops)
        parameters = self.parameters(coordinates, ops, log_pivot)
        if self.pooling is not None:
            group = rows.columns["group"]
            parameters = self.pooling.at_rows(parameters, group)
            coordinates = self.pooling.at_rows(coordinates, group)
        mean = self.law.log_loss(parameters, rows.log_resources, ops)
        return self.likelihood.noise(mean, coordinates, rows, ops)

    def simulate(
        self,
        design: Runs | pd.DataFrame | Mapping[str, Any],
        *,
        seed: int,
        coordinates: Mapping[str, float] | None = None,
    ) -> Simulation:
        """Draw losses for a design from the prior, or from given coordinates.

        Parameters
        ----------
        design
            A column for each resource of the law; one row a run.
        seed
            Seed of NumPy's generator.
        coordinates
            Values to use instead of draws from the prior, for some or all coordinates and noise
            parameters.

        Returns
        -------
        Simulation
            The runs, and the coordinates and parameters behind them.

        Raises
        ------
        UsageError
            If the design lacks a resource, or a coordinate is unknown.
        """
        return simulate(self, design, seed=seed, coordinates=coordinates)

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON; the law goes by name and formula."""
        covariates = [r.name for r in self.law.resources if r.typical == AROUND_ONE]
        return {
            "law": self.law.name,
            "formula": self.law.formula_text(),
            "resources": [r.name for r in self.law.resources if r.name not in covariates],
            "covariates": covariates,
            "given_as_text": self.law.source == GIVEN_AS_TEXT,
            "likelihood": self.likelihood.to_dict(),
            "priors": {name: prior.to_dict() for name, prior in self.priors.table.items()},
            "pivot": dict(self.priors.pivot),
            "pooling": None if self.pooling is None else asdict(self.pooling),
            "drift": None if self.drift is None else self.drift.to_dict(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, law: AbstractLaw | None = None) -> "Model":
        """From the data that `to_dict` gave.

        Parameters
        ----------
        data
            Plain data.
        law
            The law itself, where it is not in the catalogue.

        Raises
        ------
        UsageError
            If the law's formula is not the one that was saved.
        """
        if law is None:
            if data.get("given_as_text"):
                law = parse_law(
                    data["formula"],
                    resources=data["resources"],
                    covariates=data.get("covariates", ()),
                    name=data["law"],
                )
            else:
                law = laws.get(data["law"])
        if law.formula_text() != data["formula"]:
            raise UsageError(
                f"this was made with law '{data['law']}' = {data['formula']}, but the law of that "
                f"name here is {law.formula_text()}; pass law= with the one it was made with."
            )
        table = {name: Prior.from_dict(prior) for name, prior in data["priors"].items()}
        options = dict(data["likelihood"])
        likelihood = likelihoods.make(options.pop("name"), options)
        drift = None if data["drift"] is None else Drift.from_dict(data["drift"])
        model = cls.at(law, pivot=data["pivot"], likelihood=likelihood, drift=drift)
        if data["pooling"] is not None:
            saved = data["pooling"]
            pooling = Pooling(
                saved["column"], *(tuple(saved[n]) for n in ("groups", "coordinates"))
            )
            model = model.stating(pooling.population(table))
            spreads = pooling.priors(model.chart)
            model = replace(model, priors=model.priors.extended(spreads), pooling=pooling)
        return model.stating(table)


def geometric_mean(values: np.ndarray) -> float:
    """Geometric mean of positive values."""
    return math.exp(float(np.mean(np.log(values))))
