"""`fit_many`: one law fitted to many tables by one compiled program.

Bootstraps, calibration and benchmarks fit hundreds of small tables. `bayescale.engines.batch` draws
from all posteriors of a chunk at once; tables whose diagnostics fail, those of all chunks together,
are drawn once more, longer and with smaller steps. A chunk is the unit of work: it is padded to one
shape, has its own seeds, and may run in any process, so that the result does not depend on how many
there are.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from bayescale.diagnosis import Status
from bayescale.distributions.prior import Prior
from bayescale.engines import batch
from bayescale.errors import DiagnosticsWarning, RunsError, UsageError
from bayescale.fitting.chunk import Chunk, Fitted, fit_chunk
from bayescale.models.draws import Draws
from bayescale.models.likelihood import AbstractLikelihood
from bayescale.models.model import Model
from bayescale.posteriors.labelled import record_of, to_tree
from bayescale.posteriors.posterior import Posterior
from bayescale.progress import Progress
from bayescale.runs.identifiable import require_domain, require_identifiable
from bayescale.runs.table import Runs, read_runs
from theory.declaration.law import AbstractLaw

TABLES = 64
"""Tables in one call of the compiled program, and in one task of a cluster."""

ROWS = 16
"""Tables are padded to a multiple of this number of rows, so that few shapes are compiled."""

RETRIES = 3
"""How often a cluster tries a chunk again whose worker was lost."""

NAME = "batch"


class Fits(Sequence[Posterior]):
    """Posteriors of many tables, in their order.

    Made by `fit_many`. An item is an ordinary `Posterior`, which predicts and plans.
    """

    def __init__(
        self,
        models: Sequence[Model],
        tables: Sequence[Runs],
        fitted: Sequence[Fitted],
        seed: int,
    ) -> None:
        self.models, self.tables = tuple(models), tuple(tables)
        self.fitted, self.seed = tuple(fitted), seed

    def __len__(self) -> int:
        return len(self.tables)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            parts = (self.models[index], self.tables[index], self.fitted[index])
            return Fits(*parts, self.seed)
        one, model, runs = self.fitted[index], self.models[index], self.tables[index]
        facts = {"attempts": one.attempts, "mode_agreeing": one.agreeing}
        facts["mode_starts"] = batch.STARTS
        draws = Draws(one.coordinates, one.sample_stats, facts)
        record = record_of(runs, engine=NAME, seed=self.seed, facts=facts)
        return Posterior(model.law, model, to_tree(model, runs, draws), one.diagnosis, record)

    def __iter__(self) -> Iterator[Posterior]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        counts = self.diagnostics["status"].value_counts()
        told = ", ".join(f"{count} {status}" for status, count in counts.items())
        return f"Fits({len(self)} tables, law '{self.models[0].law.name}', diagnostics {told})"

    @cached_property
    def diagnostics(self) -> pd.DataFrame:
        """One row a table: status, largest R-hat, smallest ESS, divergences, BFMI, attempts.

        Returns
        -------
        pandas.DataFrame
            Index: table. Column ``reasons`` has what the gate says, sentence by sentence.
        """
        rows = [
            {
                "table": runs.name,
                "status": str(one.diagnosis.status),
                "r_hat": one.r_hat,
                "ess": one.ess,
                "divergences": one.divergences,
                "bfmi": one.bfmi,
                "attempts": one.attempts,
                "reasons": " ".join(one.diagnosis.reasons),
            }
            for runs, one in zip(self.tables, self.fitted, strict=True)
        ]
        return pd.DataFrame(rows)

    def natural(self, index: int) -> dict[str, np.ndarray]:
        """Law parameters of one table in the user's units, and its noise parameters; (draw,)."""
        model, one = self.models[index], self.fitted[index]
        flat = {name: values.reshape(-1) for name, values in one.coordinates.items()}
        noise = {name: flat[name] for name in model.likelihood.priors()}
        return model.law.values(model.parameters(flat, np)) | noise

    def summary(self) -> pd.DataFrame:
        """Mean, sd and quantiles of every parameter of every table, in the user's units.

        Returns
        -------
        pandas.DataFrame
            Index: position of the table, parameter. Columns: mean, sd, q05, q50, q95.
        """
        blocks = []
        for index in range(len(self)):
            names, columns = zip(*self.natural(index).items(), strict=True)
            draws = np.stack(columns)
            table = pd.DataFrame(
                {"mean": draws.mean(axis=1), "sd": draws.std(axis=1, ddof=1)}, index=list(names)
            )
            table[["q05", "q50", "q95"]] = np.quantile(draws, [0.05, 0.5, 0.95], axis=1).T
            blocks.append(table)
        return pd.concat(blocks, keys=range(len(self)), names=["table", "parameter"])


def fit_many(
    tables: Sequence[Runs | pd.DataFrame],
    law: str | AbstractLaw | Model | Sequence[Model] = "chinchilla",
    *,
    likelihood: str | AbstractLikelihood = "studentt",
    prior: Mapping[str, Prior | float] | None = None,
    chains: int = 4,
    seed: int = 0,
    client: Any = None,
    devices: Sequence[Any] | None = None,
    progress: Progress | None = None,
) -> Fits:
    """Fit a law to many tables at once.

    Parameters
    ----------
    tables
        Runs tables, or what `read_runs` reads; each at most a few hundred rows.
    law
        A law or its name, with default priors scaled to each table; or a `Model` for all tables, or
        one a table, alike but for the numbers of their priors.
    likelihood, prior
        As for `bayescale.fit`.
    chains
        Chains a table.
    seed
        Seed; table i draws from a stream of its own, so results do not depend on `client`.
    client
        A `distributed.Client`: chunks of tables are mapped over its workers, and a chunk whose
        worker is lost is tried again.
    devices
        JAX devices over which the tables of a chunk are spread; JAX's default device if not given.
    progress
        Called with a few words after every chunk.

    Returns
    -------
    Fits

    Raises
    ------
    RunsError
        If a table cannot be used; the message names it.
    UsageError
        If there is no table, or the models differ in more than numbers.

    Warns
    -----
    DiagnosticsWarning
        If posteriors failed their diagnostics; `Fits.diagnostics` says which and why.
    """
    if not len(tables):
        raise UsageError("there are no tables to fit; give at least one.")
    if chains < 2 or seed < 0:
        raise UsageError(
            f"chains must be at least 2 and seed not negative; got {chains} and {seed}."
        )
    runs = [table if isinstance(table, Runs) else read_runs(table) for table in tables]
    models = _models(law, runs, likelihood, prior)
    _require_alike(models)
    for index, (table, model) in enumerate(zip(runs, models, strict=True)):
        _require_usable(index, table, model)
    rows = ROWS * -(-max(map(len, runs)) // ROWS)
    width = min(TABLES, len(runs))

    def attempt(places: Sequence[int], width: int, before: Sequence[Fitted] = ()) -> list[Fitted]:
        parts = [slice(i, i + width) for i in range(0, len(places), width)]
        chunks = [
            Chunk(
                [models[i] for i in places[part]],
                [runs[i] for i in places[part]],
                places[part],
                width,
                rows,
                chains,
                seed,
                before[part],
            )
            for part in parts
        ]
        return _run(chunks, client, devices, progress or (lambda stage: None))

    fitted = attempt(range(len(runs)), width)
    failed = [i for i, one in enumerate(fitted) if one.diagnosis.refusals]
    if failed:
        # Of all chunks together, to one of two widths, so that few shapes are compiled.
        again = width if len(failed) > width // 4 else max(1, width // 4)
        second = attempt(failed, again, [fitted[i] for i in failed])
        for i, one in zip(failed, second, strict=True):
            fitted[i] = one
    fits = Fits(models, runs, fitted, seed)
    refused = sum(one.diagnosis.status is Status.REFUSE for one in fits.fitted)
    if refused:
        warnings.warn(
            f"{refused} of {len(fits)} tables were refused by their diagnostics; "
            "`.diagnostics` says which and why.",
            DiagnosticsWarning,
            stacklevel=2,
        )
    return fits


def _models(
    law: str | AbstractLaw | Model | Sequence[Model],
    runs: Sequence[Runs],
    likelihood: str | AbstractLikelihood,
    prior: Mapping[str, Prior | float] | None,
) -> list[Model]:
    if isinstance(law, Model):
        return [replace(law, priors=law.priors.replace(prior or {}))] * len(runs)
    if isinstance(law, str | AbstractLaw):
        return [Model.for_runs(law, r, likelihood=likelihood, prior=prior) for r in runs]
    if len(law) != len(runs):
        raise UsageError(f"there are {len(runs)} tables but {len(law)} models; give one a table.")
    return list(law)


def _structure(model: Model) -> tuple[Any, ...]:
    """What must be alike for one program to serve two models."""
    families = tuple((name, prior.family) for name, prior in model.priors.table.items())
    return (model.law.formula_text(), families, model.likelihood, model.pooling)


def _require_alike(models: Sequence[Model]) -> None:
    first = _structure(models[0])
    for index, model in enumerate(models):
        if _structure(model) != first:
            raise UsageError(
                f"the model of table {index} differs from that of table 0 in its law, likelihood "
                "or families of priors; only the numbers of the priors may differ, so fit them "
                "apart, or give the sizes where the noise is meant (at= of heteroscedastic, size= "
                "and time= of smooth_curves)."
            )


def _require_usable(index: int, table: Runs, model: Model) -> None:
    free = [name for name in model.free if name in model.law.chart.names]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            require_identifiable(table, [r.name for r in model.law.resources], len(free))
        require_domain(table, model.law.domain, model.law.name)
    except RunsError as error:
        raise RunsError(f"table {index}: {error}") from error


def _run(
    chunks: Sequence[Chunk], client: Any, devices: Sequence[Any] | None, progress: Progress
) -> list[Fitted]:
    if client is not None:
        futures = client.map(fit_chunk, chunks, retries=RETRIES, pure=False)
        progress(f"{len(chunks)} chunks of tables on the cluster")
        return [one for part in client.gather(futures) for one in part]
    out: list[Fitted] = []
    for number, chunk in enumerate(chunks, start=1):
        out += fit_chunk(chunk, devices)
        progress(f"{number} of {len(chunks)} chunks of tables")
    return out
