"""The posterior: draws of a law's parameters with everything needed to use and reproduce them."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float

from bayescale.diagnosis import Diagnosis
from bayescale.errors import PosteriorFileError, UsageError
from bayescale.models import pointwise
from bayescale.models.formulas import find_law
from bayescale.models.model import Model
from bayescale.models.observations import Observations
from bayescale.models.outliers import outlier_table
from bayescale.posteriors.abstract import AbstractPosterior
from bayescale.posteriors.describe import describe
from bayescale.posteriors.described import described, parts_of
from bayescale.posteriors.drifting import Drifting
from bayescale.posteriors.file import KIND, read_posterior, require_kind, write_posterior
from bayescale.posteriors.intact import check_draws, check_record, check_runs
from bayescale.posteriors.labelled import given_tree
from bayescale.posteriors.prediction import FARTHEST, Prediction, points_of
from bayescale.posteriors.prior_quantiles import prior_quantiles
from bayescale.posteriors.verdict import verdict
from bayescale.runs.identifiable import are_few
from bayescale.runs.table import Runs
from theory.declaration.abstract_law import AbstractLaw


@dataclass(frozen=True, eq=False, repr=False)
class Posterior(Drifting, AbstractPosterior):
    """Draws from the posterior of a law.

    Made by `bayescale.fit`, by `Posterior.load`, or from anyone's draws by
    `Posterior.from_draws`.

    Parameters
    ----------
    law
        The law whose parameters are drawn.
    model
        The law with its priors and likelihood; None for draws made elsewhere.
    data
        ArviZ `DataTree` with groups ``posterior`` (coordinates, noise parameters and the law's
        own parameters, dims chain and draw), ``sample_stats``, ``observed_data``.
    diagnosis
        The gate's verdict.
    record
        How the draws were made: engine, seed, versions, hash and name of the table, notes.
    """

    law: AbstractLaw
    model: Model | None
    data: xr.DataTree
    diagnosis: Diagnosis
    record: Mapping[str, Any]

    @classmethod
    def from_draws(
        cls, law: str | AbstractLaw, draws: Mapping[str, Any] | pd.DataFrame
    ) -> "Posterior":
        """Use draws made elsewhere, such as a bootstrap's, as a posterior.

        Parameters
        ----------
        law
            A law or its name.
        draws
            Every parameter of the law by its name, in the user's units; arrays of shape (draw,).

        Raises
        ------
        UsageError
            If a parameter is missing or out of its domain.
        """
        law = find_law(law)
        tree = given_tree(law, draws)
        unknown = "these draws were made elsewhere, so nothing is known of their convergence."
        return cls(law, None, tree, Diagnosis(warnings=(unknown,)), {"engine": "given draws"})

    def __repr__(self) -> str:
        sizes = self.draws.sizes
        return (
            f"Posterior('{self.law.name}', {sizes['chain']} x {sizes['draw']} draws, "
            f"engine {self.record['engine']}, {self.record.get('n_runs', 'no')} runs, "
            f"diagnostics {self.diagnosis.status})"
        )

    @property
    def figure(self) -> str:
        """The kind of figure that `plot` draws by default."""
        return "fit" if self.runs is not None and self.model is not None else "exponents"

    @property
    def seed(self) -> int:
        """Seed of the fit; 0 for draws made elsewhere."""
        return int(self.record.get("seed", 0))

    @property
    def draws(self) -> xr.Dataset:
        """Group ``posterior``: variables with dims (chain, draw)."""
        return cast(xr.Dataset, self.data["posterior"].to_dataset())

    @cached_property
    def log_parameters(self) -> dict[str, Float[np.ndarray, " draw"]]:
        """Law parameters, chains joined: logarithm of each positive one, value of each other."""
        out = {}
        for parameter in self.law.parameters:
            values = self.draws[parameter.name].to_numpy().reshape(-1)
            out[parameter.name] = np.log(values) if parameter.domain.is_positive else values
        return out

    @property
    def count(self) -> int:
        """Number of draws, chains joined."""
        return len(next(iter(self.log_parameters.values())))

    @property
    def columns(self) -> dict[str, Float[np.ndarray, "draw 1"]]:
        """The law's parameters as columns, as `AbstractLaw.log_loss` takes them."""
        return {name: array[:, None] for name, array in self.log_parameters.items()}

    @property
    def members(self) -> Mapping[str, "Posterior"]:
        """Itself, by its law's name."""
        return {self.law.name: self}

    @property
    def weights(self) -> Mapping[str, float]:
        """1, by its law's name."""
        return {self.law.name: 1.0}

    def mix(self, parts: Mapping[str, np.ndarray]) -> np.ndarray:
        """The draws themselves."""
        return next(iter(parts.values()))

    def carried(self, diagnoses: Mapping[str, Diagnosis]) -> Diagnosis:
        """The verdict itself."""
        return next(iter(diagnoses.values()))

    @property
    def exact(self) -> "Posterior":
        """The same with the law taken as exact beyond the runs."""
        return self if self.model is None else replace(self, model=replace(self.model, drift=None))

    @property
    def noise_names(self) -> tuple[str, ...]:
        """Names of the likelihood's parameters."""
        return () if self.model is None else tuple(self.model.likelihood.priors())

    @property
    def noise_draws(self) -> dict[str, Float[np.ndarray, "draw 1"]]:
        """Draws of the likelihood's parameters, chains joined, as columns."""
        return {name: self.draws[name].to_numpy().reshape(-1, 1) for name in self.noise_names}

    def summary(self, *, coordinates: bool = False, prior: bool | None = None) -> pd.DataFrame:
        """Posterior mean, sd, quantiles, R-hat and ESS of each parameter.

        Parameters
        ----------
        coordinates
            Give the pivot coordinates, in which the law is sampled, in place of the law's own
            parameters.
        prior
            Put the quantiles of the prior beside those of the posterior, as prior_q05, prior_q50
            and prior_q95; by default where there are so few runs that the prior carries much.

        Returns
        -------
        pandas.DataFrame
            Index: parameter. Columns: mean, sd, q05, q50, q95, r_hat, ess_bulk, ess_tail. For
            independent draws (the Laplace engine) R-hat is not defined, hence NaN, and the ESS
            is that of the importance weights.
        """
        names: Sequence[str] = [parameter.name for parameter in self.law.parameters]
        if coordinates:
            names = (self.law if self.model is None else self.model).chart.names
        names = [*names, *self.noise_names]
        table = self.describe({name: self.draws[name].to_numpy() for name in names})
        if prior is None:
            prior = self.runs is not None and are_few(len(self.runs))
        if not prior or self.model is None:
            return table
        before = prior_quantiles(self.model, names, self.seed)
        place = [*table.columns].index("q95") + 1
        return pd.concat([table.iloc[:, :place], before, table.iloc[:, place:]], axis=1)

    def describe(self, quantities: Mapping[str, np.ndarray]) -> pd.DataFrame:
        """Summary table, as `summary`, of any quantities of shape (chain, draw)."""
        return describe(quantities, self.record.get("importance_ess"))

    def predict(
        self,
        *,
        noise: bool = False,
        drift: bool = True,
        seed: int | None = None,
        force: bool = False,
        **resources: Any,
    ) -> Prediction:
        """Posterior of the loss at given resources.

        Parameters
        ----------
        noise
            Include the scatter of a new run.
        drift
            Include what the law may be wrong by beyond the runs (`bayescale.models.drift`); it is
            zero within their range. Without it and noise the prediction is that of the law alone.
        seed
            Seed of that scatter; the fit's own by default.
        force
            Predict even where the gate refuses; the result is then marked.
        **resources
            Each resource of the law by name (``N=70e9, D=1.4e12``): numbers or arrays of shape
            (point,) that broadcast.

        Returns
        -------
        Prediction

        Raises
        ------
        UsageError
            If a resource is missing, unknown or not positive, or `noise` is asked of draws
            without a likelihood.
        DiagnosticsRefused
            If the gate refuses the posterior, or the distance of a point, and `force` is not
            given.

        Warns
        -----
        DiagnosticsWarning
            If a point lies far beyond the runs (`bayescale.posteriors.distance`); the prediction
            carries the sentence.
        """
        self.diagnosis.require(force=force)
        points = points_of(self.law, resources)
        reach = self.judge_distance(points)
        reach.require(force=force)
        reach.warn(stacklevel=2)
        logs = {name: np.log(points[name].to_numpy()) for name in points}
        rows = Observations({n: row[None, :] for n, row in logs.items()})
        log_loss = self.log_law(rows.log_resources, tilt=drift)
        if drift:
            log_loss = log_loss + self.log_drift(rows.log_resources)
        if noise:
            if self.model is None:
                raise UsageError("these draws came without a likelihood; pass noise=False.")
            rng = np.random.default_rng(self.seed if seed is None else seed)
            if drift:
                log_loss = log_loss + self.log_scatter(rows.log_resources, rng)
            scatter = self.model.likelihood.noise(log_loss, self.noise_draws, rows, np)
            log_loss = scatter.sample(rng, log_loss.shape)
            # Student-t draws of very few degrees of freedom leave the range of numbers.
            log_loss = np.clip(log_loss, -FARTHEST, FARTHEST)
        verdict = Diagnosis(self.diagnosis.refusals) + reach
        return Prediction(points, np.exp(log_loss), noise, verdict, self.origin)

    @cached_property
    def seen(self) -> Mapping[str, np.ndarray] | None:
        """Logarithm of each size of the runs that were fitted, (run,); None where not known."""
        runs = self.runs
        if runs is None or not self.sizes or not set(self.sizes) <= set(runs):
            return None
        return {name: np.log(runs[name].to_numpy(np.float64)) for name in self.sizes}

    def to_dict(self) -> dict[str, Any]:
        """Summary and diagnostics as plain data, for JSON."""
        table = self.summary().drop(columns="ess_tail")
        return {
            "law": self.law.name,
            "engine": self.record.get("engine"),
            "seed": self.seed,
            "n_runs": self.record.get("n_runs"),
            "params": table.to_dict(orient="index"),
            "advice": list(self.advice()),
            **self.verdict(),
        }

    def advice(self) -> tuple[str, ...]:
        """The form, how far it may be believed, and what to do next: a sentence each."""
        return verdict(self)

    @property
    def runs(self) -> pd.DataFrame | None:
        """The observed runs that were fitted (resources, loss), or None for given draws."""
        if "observed_data" not in self.data:
            return None
        return cast(xr.Dataset, self.data["observed_data"].to_dataset()).to_dataframe()

    @cached_property
    def observed(self) -> Runs | None:
        """The table that was fitted, with the columns that the fit needs; None for given draws."""
        if self.runs is None:
            return None
        table = self.runs.rename_axis("run").reset_index()
        notes = tuple(self.record.get("notes", ()))
        provenance = tuple(self.record.get("provenance", ()))
        return Runs(table, str(self.record.get("table", "table")), notes, provenance)

    @cached_property
    def sites(self) -> dict[str, np.ndarray]:
        """What was sampled, and what was fixed, chains joined: (draw,), offsets (draw, group).

        Raises
        ------
        UsageError
            If the draws came without a model.
        """
        if self.model is None:
            raise UsageError("these draws came without a model; make them with `bayescale.fit`.")
        return {
            name: self.draws[name].to_numpy().reshape(-1, *self.model.shapes[name])
            for name in self.model.priors.table
        }

    @cached_property
    def fitted_model(self) -> tuple[Model, Observations]:
        """The model, and what it sees of the runs.

        Raises
        ------
        UsageError
            If the draws came without a model or without runs.
        """
        if self.model is None or self.observed is None:
            raise UsageError(
                "these draws came without a likelihood or without runs; fit the table with "
                "`bayescale.fit` to ask this."
            )
        return self.model, self.model.observe(self.observed)

    def log_likelihood(self) -> Float[np.ndarray, "draw run"]:
        """Log density of each run's log loss at each draw, chains joined.

        Where rows depend on each other it is that of a row given the earlier rows of its group,
        so that the sum over a group is the group's joint log density. It is computed, not stored.

        Raises
        ------
        UsageError
            If the draws came without a likelihood or without runs.
        """
        model, rows = self.fitted_model
        return pointwise.log_likelihood(model, self.sites, rows)

    def outliers(self) -> pd.DataFrame:
        """How far each run lies from the law, and the probability that it is an outlier.

        Returns
        -------
        pandas.DataFrame
            Index: run; the likeliest outliers first. Columns: the law's resources, loss,
            ``fitted`` (posterior median of the law's loss), ``residual`` (posterior median of
            ``(log loss - location)/scale``, given earlier rows of a group) and ``probability``,
            by the likelihood's own definition (`AbstractLikelihood.outlier_probability`).

        Raises
        ------
        UsageError
            If the draws came without a likelihood or without runs.
        """
        model, rows = self.fitted_model
        runs = cast(pd.DataFrame, self.runs)
        return outlier_table(model, self.sites, rows, runs)

    def save(self, path: str | os.PathLike) -> Path:
        """Write everything to a netCDF file; the file appears whole or not at all.

        Raises
        ------
        UsageError
            If the draws came without a model.
        OutputError
            If the file cannot be written.
        """
        told = described(self.model, self.diagnosis, self.record)
        return write_posterior(self.data, told, Path(path))

    @classmethod
    def load(cls, path: str | os.PathLike, *, law: AbstractLaw | None = None) -> "Posterior":
        """Read what `save` wrote; the result predicts and plans identically.

        Parameters
        ----------
        path
            The netCDF file, of this version or of an older one.
        law
            The law, where it is not one of the catalogue; its formula must be the saved one.

        Raises
        ------
        PosteriorFileError
            If the file is missing, damaged, of a newer version, of another law, or of a stack.
        """
        source = Path(path)
        data, about = read_posterior(source)
        require_kind(about, KIND, source)
        return posterior_of(data, about, source, law)


def posterior_of(
    data: xr.DataTree, about: Mapping[str, Any], source: Path, law: AbstractLaw | None
) -> Posterior:
    """Posterior of draws, and of what a file says of them; see `Posterior.load`."""
    model, diagnosis, record = parts_of(about, source, law)
    try:
        check_record(record)
        check_draws(data, model)
        check_runs(data, model, record)
    except ValueError as error:
        raise PosteriorFileError(f"'{source}' cannot be used: {error}; fit again.") from error
    return Posterior(model.law, model, data, diagnosis, record)
