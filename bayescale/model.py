"""A model: a law, its priors and a likelihood. It holds no data."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from bayescale import likelihood as likelihoods
from bayescale.errors import UsageError
from bayescale.expression import GIVEN_AS_TEXT, find_law, parse_law
from bayescale.family import FAMILIES
from bayescale.likelihood import AbstractLikelihood
from bayescale.prior import Prior, Priors, default_priors
from bayescale.runs import Runs, read_runs
from theory import laws
from theory.law import AbstractLaw


@dataclass(frozen=True)
class Simulation:
    """Runs drawn from a model, and the values that made them."""

    runs: Runs
    coordinates: Mapping[str, float]
    parameters: Mapping[str, float]
    seed: int


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
    """

    law: AbstractLaw
    priors: Priors
    likelihood: AbstractLikelihood

    @classmethod
    def for_runs(
        cls,
        law: str | AbstractLaw,
        runs: Runs,
        *,
        likelihood: str | AbstractLikelihood = "studentt",
        prior: Mapping[str, Prior | float] | None = None,
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
            Priors that replace defaults; a number fixes the coordinate.
        """
        law = find_law(law, columns=runs.table.columns)
        return cls.at(
            law,
            pivot={r.name: geometric_mean(runs.column(r.name)) for r in law.resources},
            level=float(np.median(runs.loss)),
            likelihood=likelihood,
            prior=prior,
        )

    @classmethod
    def at(
        cls,
        law: str | AbstractLaw,
        *,
        pivot: Mapping[str, float],
        level: float = 2.7,
        likelihood: str | AbstractLikelihood = "studentt",
        prior: Mapping[str, Prior | float] | None = None,
    ) -> "Model":
        """Model with default priors at a given pivot and loss level, before any run."""
        law = find_law(law)
        noise = likelihoods.get(likelihood)
        priors = default_priors(law, noise.priors(), pivot=pivot, level=level)
        return cls(law, priors.replace(prior or {}), noise)

    @property
    def free(self) -> tuple[str, ...]:
        """Names of what is sampled: coordinates and noise parameters that are not fixed."""
        return tuple(name for name, prior in self.priors.table.items() if not prior.is_fixed)

    @property
    def fixed(self) -> dict[str, float]:
        """What is held at a value."""
        table = self.priors.table.items()
        return {name: prior.arguments["value"] for name, prior in table if prior.is_fixed}

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
        }
        natural = self.law.values(self.parameters(middle, np))
        return {name: float(value) for name, value in natural.items()}

    def parameters(self, coordinates: Mapping[str, Any], ops: ModuleType) -> dict[str, Any]:
        """Law parameters from coordinates: logarithms of the positive ones, by name."""
        return self.law.chart.to_parameters(coordinates, self.priors.log_pivot, ops)

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
        table = design.table if isinstance(design, Runs) else _frame(design)
        names = [resource.name for resource in self.law.resources]
        if missing := [name for name in names if name not in table]:
            raise UsageError(
                f"the design has no column {', '.join(missing)}; law '{self.law.name}' needs "
                f"{', '.join(names)} and the design has {', '.join(map(str, table.columns))}."
            )
        priors = self.priors.replace(coordinates or {})
        rng = np.random.default_rng(seed)
        drawn = {name: float(prior.sample(rng)) for name, prior in priors.table.items()}
        logs = {name: np.log(np.asarray(table[name], dtype=np.float64)) for name in names}
        parameters = self.parameters(drawn, np)
        noise = self.likelihood.noise(self.law.log_loss(parameters, logs, np), drawn)
        loss = np.exp(sample_noise(noise.family, noise.arguments, rng, (len(table),)))
        runs = read_runs(table[names].assign(loss=loss), name=f"simulated from {self.law.name}")
        natural = {name: float(value) for name, value in self.law.values(parameters).items()}
        return Simulation(runs, drawn, natural, seed)

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON; the law goes by name and formula."""
        return {
            "law": self.law.name,
            "formula": self.law.formula_text(),
            "resources": [resource.name for resource in self.law.resources],
            "given_as_text": self.law.source == GIVEN_AS_TEXT,
            "likelihood": self.likelihood.name,
            "priors": {name: prior.to_dict() for name, prior in self.priors.table.items()},
            "pivot": dict(self.priors.pivot),
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
                law = parse_law(data["formula"], resources=data["resources"], name=data["law"])
            else:
                law = laws.get(data["law"])
        if law.formula_text() != data["formula"]:
            raise UsageError(
                f"this was made with law '{data['law']}' = {data['formula']}, but the law of that "
                f"name here is {law.formula_text()}; pass law= with the one it was made with."
            )
        table = {name: Prior.from_dict(prior) for name, prior in data["priors"].items()}
        likelihood = data["likelihood"]
        return cls.at(law, pivot=data["pivot"], likelihood=likelihood, prior=table)


def geometric_mean(values: np.ndarray) -> float:
    """Geometric mean of positive values."""
    return math.exp(float(np.mean(np.log(values))))


def sample_noise(
    family: str,
    arguments: Mapping[str, Any],
    rng: np.random.Generator,
    shape: tuple[int, ...],
) -> np.ndarray:
    """Draw from a noise distribution with NumPy; arguments broadcast to `shape`."""
    from scipy import stats

    return FAMILIES[family].scipy(stats, **arguments).rvs(size=shape, random_state=rng)


def _frame(design: pd.DataFrame | Mapping[str, Any]) -> pd.DataFrame:
    return pd.DataFrame({str(name): np.atleast_1d(np.asarray(design[name])) for name in design})
