"""`Logs`: the runs that were read, what they logged, and the tables that are made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from bayescale.errors import UsageError
from bayescale.logs.merged_run import MergedRun
from bayescale.logs.query import query
from bayescale.logs.reduction import Rule
from bayescale.logs.step_file import StepRows
from bayescale.logs.table_of_runs import Options, one_row_a_checkpoint, one_row_a_run
from bayescale.runs.table import Runs
from theory.errors import did_you_mean

MOST_NOTES = 20
"""Notes on files that a table carries along; `Logs.notes` has all."""


@dataclass(frozen=True, eq=False, repr=False)
class Logs:
    """What training runs logged, as `read_logs` makes it.

    Parameters
    ----------
    merged
        The runs, each once.
    found
        Sentences: what was joined, not read, or told apart.
    """

    merged: tuple[MergedRun, ...]
    found: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.merged)

    def __repr__(self) -> str:
        records = sum(run.records for run in self.merged)
        formats = ", ".join(dict.fromkeys(run.format for run in self.merged))
        return f"Logs({len(self)} run{'s' * (len(self) != 1)}, {records} records: {formats})"

    @property
    def runs(self) -> pd.DataFrame:
        """One row a run: name, state, records, steps (the largest), format and source."""
        return pd.DataFrame(
            [
                {
                    "name": run.name,
                    "state": run.state or "unknown",
                    "records": run.records,
                    "steps": run.span[1],
                    "format": run.format,
                    "source": run.source,
                }
                for run in self.merged
            ]
        )

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """One row a metric: runs that have it, records, medians over runs of first and last value.

        A table of steps is read once for it.
        """
        ends = self._ends()
        names = dict.fromkeys(name for run in self.merged for name in run.metrics)
        rows = []
        for name in names:
            held = [run.metrics[name] for run in self.merged if name in run.metrics]
            first, last = np.array(ends[name], dtype=float).T
            row = {"metric": name, "runs": len(held), "records": sum(held)}
            rows.append(row | {"first": np.median(first), "last": np.median(last)})
        return pd.DataFrame(rows, columns=["metric", "runs", "records", "first", "last"])

    def _ends(self) -> dict[str, list[tuple[float, float]]]:
        """First and last value of each metric, in each run that has it."""
        found: dict[str, list[tuple[float, float]]] = {}
        for run in self.merged:
            tables = [part.history for part in run.parts if not isinstance(part.history, StepRows)]
            for name in run.metrics:
                values = [
                    table[name].drop_null()
                    for table in tables
                    if name in table.column_names and pa.types.is_floating(table[name].type)
                ]
                values = [column for column in values if len(column)]
                if values:
                    pair = (values[0][0].as_py(), values[-1][-1].as_py())
                    found.setdefault(name, []).append(pair)
        with query(self.merged) as database:
            for name, pairs in database.ends_in_files().items():
                found.setdefault(name, []).extend(pairs)
        return found

    @property
    def config(self) -> pd.DataFrame:
        """One row a run, a column a key of its configuration; the index is the name."""
        return pd.DataFrame(
            [run.config for run in self.merged], index=[run.name for run in self.merged]
        ).rename_axis("name")

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences: what was lost, joined, not read, or read in place of something else."""
        return tuple(dict.fromkeys([n for run in self.merged for n in run.notes] + [*self.found]))

    def history(self, run: str) -> pd.DataFrame:
        """All records of a run in the order written, parts one after the other.

        Parameters
        ----------
        run
            Its name.

        Raises
        ------
        UsageError
            If there is no run of that name.
        """
        for one in self.merged:
            if one.name == run:
                tables = [
                    part.history.to_table() if isinstance(part.history, StepRows) else part.history
                    for part in one.parts
                ]
                return pa.concat_tables(tables, promote_options="permissive").to_pandas()
        names = [one.name for one in self.merged]
        raise UsageError(f"there is no run '{run}'.{did_you_mean(run, names)}")

    def to_runs(
        self,
        *,
        loss: str | None = None,
        which: str = "last",
        k: int | None = None,
        smooth: float | None = None,
        N: str | float | Mapping[str, float] | None = None,
        D: str | float | Mapping[str, float] | None = None,
        C: str | float | Mapping[str, float] | None = None,
        tokens_per_step: float | None = None,
        batch: float | None = None,
        length: float | None = None,
        states: Sequence[str] | str = ("finished",),
        keep: Sequence[str] = (),
    ) -> Runs:
        """A table with one row a run; what is not said is guessed, and each guess is a sentence.

        Runs that crashed, failed, were killed or still run, those with less than nine tenths of
        their planned steps, and those whose loss ends far above its minimum or is not finite are
        left out. Runs of which no logger says how they ended are taken.

        Parameters
        ----------
        loss
            Name of the metric that is the loss; by default one of evaluation, or else of training.
        which
            The ``last`` record, the ``min``, or ``mean_last``, the mean of the last `k`.
        k
            Records that ``mean_last`` averages.
        smooth
            Half-life, in steps, of an exponential average that ends at the last record.
        N, D, C
            Parameters, tokens and FLOP: a key of the configuration, a number, or a number by run.
            By default N is named by the configuration or counted from its shape, D is a counter of
            tokens or steps times tokens a step, and C is 6 N D.
        tokens_per_step, batch, length
            Tokens a step; or sequences a step (all processes and accumulated batches together) and
            tokens a sequence. By default as the configuration says.
        states
            Ends of a run that are taken; ``"any"`` for all runs with a finite loss.
        keep
            Keys of the configuration that become columns.

        Returns
        -------
        Runs
            With columns run, N, D, C, loss, step, state, schedule (``hot`` or ``cooled``, where a
            learning rate was logged) and those of `keep`; its `provenance` says how it was made.

        Raises
        ------
        RunsError
            Two metrics could be the loss, or no run or no resource is left.
        UsageError
            Arguments do not go together.
        """
        options = Options(
            loss=loss, N=N, D=D, C=C, tokens_per_step=tokens_per_step, batch=batch, length=length,
            states=states, keep=keep,
        )  # fmt: skip
        return self._said(one_row_a_run(self.merged, options, Rule(which, k, smooth)))

    def to_checkpoints(
        self,
        *,
        loss: str | None = None,
        N: str | float | Mapping[str, float] | None = None,
        tokens_per_step: float | None = None,
        batch: float | None = None,
        length: float | None = None,
        states: Sequence[str] | str = ("finished",),
        keep: Sequence[str] = (),
    ) -> Runs:
        """A table with one row a record of the loss, for ``fit(..., likelihood="curves")``.

        Parameters
        ----------
        loss, N, tokens_per_step, batch, length, states, keep
            As in `to_runs`; D is that of the step.

        Raises
        ------
        RunsError
            As in `to_runs`.
        LimitError
            There are millions of records.
        """
        options = Options(
            loss=loss, N=N, tokens_per_step=tokens_per_step, batch=batch, length=length,
            states=states, keep=keep,
        )  # fmt: skip
        return self._said(one_row_a_checkpoint(self.merged, options))

    def _said(self, runs: Runs) -> Runs:
        formats = ", ".join(dict.fromkeys(run.format for run in self.merged))
        runs_read = f"{len(self)} run{'s' * (len(self) != 1)}"
        first = f"Made from the logs of {runs_read} ({formats})."
        notes, more = self.notes[:MOST_NOTES], len(self.notes) - MOST_NOTES
        rest = (f"{more} further notes are in Logs.notes.",) if more > 0 else ()
        return replace(runs, provenance=(first, *runs.provenance, *notes, *rest))

    def to_dict(self) -> dict[str, Any]:
        """The description as plain data: runs, metrics, notes."""
        return {
            "runs": self.runs.to_dict(orient="records"),
            "metrics": self.metrics.to_dict(orient="records"),
            "notes": list(self.notes),
        }
