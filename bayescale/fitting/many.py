"""`fit_many`: one law fitted to many tables by one compiled program.

Bootstraps, calibration and benchmarks fit hundreds of small tables. `bayescale.engines.batch` draws
from all posteriors of a chunk at once; tables whose diagnostics fail, those of all chunks together,
are drawn once more, longer and with smaller steps. A chunk is the unit of work: it is padded to one
shape, has its own seeds, and may run in any process, so that the result does not depend on how many
there are.
"""

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from bayescale.aliases import with_aliases
from bayescale.diagnosis import Diagnosis, Result, Status
from bayescale.distributions.prior import Prior
from bayescale.errors import DiagnosticsWarning, RunsError, UsageError
from bayescale.fitting.chunk import NAME, Chunk, Fitted, fit_chunk
from bayescale.fitting.finished import Finished
from bayescale.fitting.resolve import Fittable, require_options, require_usable, resolve_each
from bayescale.models.defaults import LAW
from bayescale.models.drift_reference import REFERENCE, Drifting
from bayescale.models.likelihood import AbstractLikelihood
from bayescale.models.model import Model
from bayescale.posteriors.labelled import record_of, to_tree
from bayescale.posteriors.posterior import Posterior
from bayescale.progress import Part, Progress, shown, within
from bayescale.runs.table import Runs, read_runs

TABLES = 64
"""Tables in one call of the compiled program, and in one task of a cluster."""

ROWS = 16
"""Tables are padded to a multiple of this number of rows, so that few shapes are compiled."""

RETRIES = 3
"""How often a cluster tries a chunk again whose worker was lost."""


class Fits(Sequence[Posterior], Result):
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
        record = record_of(runs, engine=NAME, seed=self.seed, draws=one.draws)
        tree = to_tree(model, runs, one.draws)
        return Posterior(model.law, model, tree, one.diagnosis, record)

    def __iter__(self) -> Iterator[Posterior]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        counts = self.diagnostics["status"].value_counts()
        told = ", ".join(f"{count} {status}" for status, count in counts.items())
        return f"Fits({len(self)} tables, law '{self.models[0].law.name}', diagnostics {told})"

    @property
    def diagnosis(self) -> Diagnosis:
        """The gate's verdicts on all tables, each reason with the position of its table."""
        verdicts = (one.diagnosis.labelled(f"table {i}") for i, one in enumerate(self.fitted))
        return sum(verdicts, Diagnosis())

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON: one entry a table."""
        return {"tables": [one.to_dict() for one in self], "seed": self.seed, **self.verdict()}

    @cached_property
    def diagnostics(self) -> pd.DataFrame:
        """One row a table: the gate's verdict, by the rules of `bayescale.fit`, and its numbers.

        Returns
        -------
        pandas.DataFrame
            Index: table. Columns: ``status`` and ``reasons``, sentence by sentence; largest R-hat
            and smallest ESS of the free coordinates, divergences, BFMI, attempts.
        """
        rows = [
            {
                "table": runs.name,
                "status": str(one.diagnosis.status),
                "r_hat": one.r_hat,
                "ess": one.ess,
                "divergences": one.divergences,
                "bfmi": one.bfmi,
                "attempts": one.draws.facts["attempts"],
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


@with_aliases
def fit_many(
    tables: Sequence[Runs | pd.DataFrame | Any],
    law: Fittable | Sequence[Model] = LAW,
    *,
    likelihood: str | AbstractLikelihood | None = None,
    prior: Mapping[str, Prior | float] | None = None,
    drift: Drifting = REFERENCE,
    chains: int = 4,
    seed: int = 0,
    client: Any = None,
    devices: Sequence[Any] | None = None,
    progress: Progress | None = None,
    resume: str | os.PathLike | None = None,
) -> Fits:
    """Fit a law to many tables at once.

    The gate is that of `bayescale.fit`, but does not look at what a table's own larger runs say
    (`bayescale.fitting.own_cuts`), which would take as long as the fits, nor is it audited: call
    `bs.audit` on the tables that matter.

    Parameters
    ----------
    tables
        Runs tables, or what `read_runs` reads; each at most a few hundred rows.
    law
        As for `bayescale.fit`, with default priors scaled to each table; or one `Model` a table,
        alike but for the numbers of their priors.
    likelihood, prior, drift
        As for `bayescale.fit`, for every table.
    chains
        Chains a table, at least 2.
    seed
        Seed; table i draws from a stream of its own, so results do not depend on `client`.
    client
        A `distributed.Client`: chunks of tables are mapped over its workers, and a chunk whose
        worker is lost is tried again.
    devices
        JAX devices over which the tables of a chunk are spread; JAX's default device if not given.
    progress
        Called with a few words after every chunk.
    resume
        Folder in which finished chunks are kept: the same call goes on from there, and gives what
        it would have given without a stop.

    Returns
    -------
    Fits

    Raises
    ------
    RunsError
        If a table cannot be used; the message names it.
    UsageError
        If there is no table, or the models differ in more than numbers.
    OutputError
        If finished chunks cannot be kept.

    Warns
    -----
    DiagnosticsWarning
        If the gate refuses or warns of posteriors; `Fits.diagnostics` says of which and why.
    """
    if not len(tables):
        raise UsageError("there are no tables to fit; give at least one.")
    require_options(chains=chains, seed=seed, least_chains=2)
    runs = [table if isinstance(table, Runs) else read_runs(table) for table in tables]
    models = resolve_each(law, runs, likelihood=likelihood, prior=prior, drift=drift)
    _require_alike(models)
    for index, (table, model) in enumerate(zip(runs, models, strict=True)):
        _require_usable(index, table, model)
    rows = ROWS * -(-max(map(len, runs)) // ROWS)
    width = min(TABLES, len(runs))
    finished = None if resume is None else Finished.at(resume)

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
        return _run(chunks, client, devices, tell, finished)

    with shown(progress) as tell:
        fitted = attempt(range(len(runs)), width)
        failed = [i for i, one in enumerate(fitted) if one.failed]
        if failed:
            # Of all chunks together, to one of two widths, so that few shapes are compiled.
            again = width if len(failed) > width // 4 else max(1, width // 4)
            tell = within(tell, 0.0, 1.0, "once more: ")
            second = attempt(failed, again, [fitted[i] for i in failed])
            for i, one in zip(failed, second, strict=True):
                fitted[i] = one
    fits = Fits(models, runs, fitted, seed)
    if sentence := counted([one.diagnosis for one in fits.fitted]):
        warnings.warn(
            f"the diagnostics of {len(fits)} tables {sentence}; `.diagnostics` says which and why.",
            DiagnosticsWarning,
            stacklevel=2,
        )
    return fits


def counted(verdicts: Sequence[Diagnosis]) -> str:
    """How many of several fits the gate refuses or warns of: ``"refused 1 and warned of 2"``.

    Empty where all are well.
    """
    statuses = [one.status for one in verdicts]
    refused, warned = (statuses.count(status) for status in (Status.REFUSE, Status.WARN))
    parts = {f"refused {refused}": refused, f"warned of {warned}": warned}
    return " and ".join(part for part, count in parts.items() if count)


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
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            require_usable(table, model)
    except RunsError as error:
        raise RunsError(f"table {index}: {error}") from error


def _run(
    chunks: Sequence[Chunk],
    client: Any,
    devices: Sequence[Any] | None,
    progress: Progress,
    finished: Finished | None,
) -> list[Fitted]:
    known = [None if finished is None else finished.chunk(chunk) for chunk in chunks]
    left = [chunk for chunk, one in zip(chunks, known, strict=True) if one is None]
    if client is not None and left:
        futures = client.map(fit_chunk, left, retries=RETRIES, pure=False)
        progress(Part(f"{len(left)} chunks of tables on the cluster", 0.0))
        made = iter(client.gather(futures))
    else:
        made = (fit_chunk(chunk, devices) for chunk in left)
    out: list[Fitted] = []
    for number, (chunk, one) in enumerate(zip(chunks, known, strict=True), start=1):
        fitted = next(made) if one is None else one
        if one is None and finished is not None:
            finished.keep_chunk(chunk, fitted)
        out += fitted
        progress(Part(f"{number} of {len(chunks)} chunks of tables", number / len(chunks)))
    return out
