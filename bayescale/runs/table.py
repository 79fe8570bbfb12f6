"""The runs table: one row a training run, with its resources N, D, C and its loss.

Rows are counted in messages as data rows from 1, the header and blank lines not counted.
"""

import hashlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
from jaxtyping import Float

from bayescale.errors import RunsError, RunsWarning, UsageError
from bayescale.notebook import Shown
from bayescale.runs.columns import Stated, gather
from bayescale.runs.dialect import Dialect
from bayescale.runs.mapping import absent
from bayescale.runs.reader import MOST_ROWS
from bayescale.runs.reading import without_suffix
from bayescale.runs.vocabulary import CANONICAL, NUMERIC, RESOURCES, mapping

pc: Any = pyarrow.compute  # its functions are generated on import, unseen by type checkers
_LEAST = {"N": 1.0, "D": 1.0, "C": 0.0, "loss": 0.0}
_RANGE = {
    "N": "N counts parameters, so it is at least 1",
    "D": "D counts tokens or examples, so it is at least 1",
    "C": "C counts FLOP, so it is positive",
    "loss": "a loss in nats is positive (a reward or a log-likelihood is not a loss)",
}


@dataclass(frozen=True, eq=False, repr=False)
class Runs(Shown):
    """A checked table of training runs, as `read_runs` makes it.

    Parameters
    ----------
    table
        Columns `N` (parameters), `D` (tokens or examples), `C` (FLOP) and `loss` (nats per token)
        as float64, as far as known; `run` as text; any further columns untouched.
    name
        What the table is called in reports.
    notes
        Sentences: what was repaired, computed or left out.
    provenance
        Sentences: how the table was made from logs, each choice named; empty for other tables.
    """

    table: pd.DataFrame
    name: str
    notes: tuple[str, ...] = ()
    provenance: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        spans = ""
        if len(self):
            spans = "".join(
                f", {column} {self.table[column].min():.3g}..{self.table[column].max():.3g}"
                for column in (*self.resources, "loss")
            )
        return f"Runs({self.name!r}, {len(self)} runs{spans})"

    def _sentences(self) -> tuple[str, ...]:
        return self.notes

    def _short_table(self) -> pd.DataFrame:
        return self.table

    @property
    def resources(self) -> tuple[str, ...]:
        """The resource columns that the table has, in the order of `RESOURCES`."""
        return tuple(name for name in RESOURCES if name in self.table)

    @property
    def loss(self) -> Float[np.ndarray, " run"]:
        """The losses, in nats per token (or the unit of the dataset's card)."""
        return self.column("loss")

    @property
    def data_hash(self) -> str:
        """SHA-256 of N, D, C, loss and run: the same whatever the order of columns or the file."""
        digest = hashlib.sha256()
        for name in NUMERIC:
            if name in self.table:
                digest.update(f"{name} {len(self)}\n".encode())
                digest.update(self.table[name].to_numpy(dtype="<f8").tobytes())
        for run in self.table["run"]:
            text = str(run).encode()
            digest.update(b"%d:%b" % (len(text), text))
        return digest.hexdigest()

    def column(self, name: str) -> np.ndarray:
        """Return one column, shape (run,).

        Raises
        ------
        RunsError
            The table has no such column.
        """
        if name not in self.table:
            raise RunsError(absent(name, self.table.columns, self.name))
        return self.table[name].to_numpy()

    def select(
        self,
        rows: pd.Series | np.ndarray | Sequence[bool] | Callable[[pd.DataFrame], Any],
        *,
        note: str | None = None,
    ) -> "Runs":
        """Return the runs for which `rows`, shape (run,), is true: a mask, or a function to one.

        Examples
        --------
        >>> table = pd.DataFrame({"N": [1e6, 1e7], "D": [1e8, 1e8], "loss": [3.5, 3.1]})
        >>> read_runs(table).select(lambda runs: runs["C"] < 1e15)
        Runs('table', 1 runs, N 1e+06..1e+06, D 1e+08..1e+08, C 6e+14..6e+14, loss 3.5..3.5)
        """
        mask = np.asarray(rows(self.table) if callable(rows) else rows)
        if mask.shape != (len(self),) or mask.dtype != bool:
            raise UsageError(
                f"a selection of runs has one True or False a row, shape ({len(self)},); got "
                f"{mask.dtype} of shape {mask.shape}."
            )
        notes = self.notes if note is None else (*self.notes, note)
        return replace(self, table=self.table.loc[mask].reset_index(drop=True), notes=notes)

    def finals(self, by: str = "run") -> "Runs":
        """Return the last row of each run: that with the most D, or C where there is no D.

        Parameters
        ----------
        by
            Column that names the run of a row; ``"N"`` where each size is one run.

        Raises
        ------
        RunsError
            The table has no such column, or neither D nor C.
        """
        names = pd.factorize(self.column(by))[0]
        advance = self.column("D" if "D" in self.table else "C")
        last = pd.Series(advance).groupby(names).idxmax().to_numpy()
        mask = np.zeros(len(self), dtype=bool)
        mask[last] = True
        return self.select(mask, note=f"Of each '{by}' the last of its rows was kept.")

    def drop_highest_losses(self, k: int) -> "Runs":
        """Return the runs without the `k` highest losses, and say so in the notes."""
        order = np.argsort(self.loss, kind="stable")
        mask = np.ones(len(self), dtype=bool)
        mask[order[len(self) - k :]] = False
        return self.select(mask, note=f"The {k} highest losses were left out.")


def read_runs(
    source: Any,
    *,
    columns: Mapping[str, str] | None = None,
    units: Mapping[str, float] | None = None,
    dialect: Mapping[str, str] | Dialect | None = None,
    guess: bool = True,
    name: str | None = None,
    on_bad_rows: Literal["warn", "raise", "drop"] = "warn",
    on_duplicates: Literal["drop", "keep"] = "drop",
    max_bad_fraction: float = 0.2,
    max_rows: int = MOST_ROWS,
) -> Runs:
    """Read and check a table of training runs.

    Where D is absent it is C / (6 N), and where C is absent it is 6 N D; the notes say so.

    Parameters
    ----------
    source
        A file of any format in ``bs.readers.READERS`` (text may be packed by gzip), an open stream
        or `-` for stdin where the format can be read from one, a data frame (pandas, polars,
        Arrow, a DuckDB relation), a mapping from columns to lists, or a list of mappings.
    columns
        From the names `N`, `D`, `C`, `loss`, `run` (or any other) to those of the table. `loss`
        and one of N, D, C are needed.
    units
        What the numbers of a column count in, such as ``{"N": 1e6}`` for millions; a cell with a
        letter of its own, such as 70B, is not changed by it.
    dialect
        Of text: its ``"separator"``, by default that of the file's ending, and its ``"decimal"``,
        a point or a comma.
    guess
        Whether N, D, C, loss and run may be taken from the one column whose name fits (`params`,
        `Model Size`, `train_tokens`, `eval/loss`), and units from headers such as ``Params (M)``
        and cells such as 70B; a warning says what was taken and how to state it. Where several
        columns fit, one must be chosen. Scripts should state all and pass False.
    name
        What to call the table; by default the file's name.
    on_bad_rows
        What to do with rows where N, D, C or the loss is missing or not finite: drop them and
        warn, raise, or drop them with a note only.
    on_duplicates
        Whether rows that repeat another in every column are dropped (with a warning) or kept.
    max_bad_fraction
        With more bad rows than this fraction, the table is refused.
    max_rows
        With more rows a file or a stream is refused, before it fills the memory; a table that is
        in memory is not.

    Raises
    ------
    RunsError
        The table cannot be used; the message names the row and the column.
    LimitError
        The file is refused because opening it could run code or exhaust memory.
    UsageError
        An option is wrong, or the source is no table at all.

    Warns
    -----
    RunsWarning
        Something was taken from names, repaired or left out; the notes of the table say it too.

    Examples
    --------
    >>> table = {"params": [1e6, 1e7], "D": [1e8, 1e8], "loss": [3.5, 3.1]}
    >>> runs = read_runs(table, columns={"N": "params"})
    >>> runs.resources, runs.notes
    (('N', 'D', 'C'), ('C computed as 6 N D.',))
    """
    _check_option("on_bad_rows", on_bad_rows, ("warn", "raise", "drop"))
    _check_option("on_duplicates", on_duplicates, ("drop", "keep"))
    if not 0 <= max_bad_fraction < 1:
        raise UsageError(f"max_bad_fraction is {max_bad_fraction}; it must be in [0, 1).")
    if isinstance(max_rows, bool) or not isinstance(max_rows, int) or max_rows < 1:
        raise UsageError(f"max_rows is {max_rows!r}; it must be a positive whole number.")
    stated = Stated(columns or {}, units or {}, Dialect.of(dialect), guess, max_rows)
    gathered = gather(source, stated)
    table, labels, where = gathered.table, gathered.labels, gathered.where
    notes, alarms = gathered.notes, gathered.notices
    if name is None:
        name = without_suffix(where)
    numeric = [column for column in NUMERIC if column in table]
    rows = np.arange(1, len(table) + 1)

    bad, sentence = _bad_rows(table, labels, where)
    if sentence:
        if on_bad_rows == "raise":
            raise RunsError(f'{sentence} Drop them or pass on_bad_rows="drop".')
        if bad.mean() > max_bad_fraction:
            raise RunsError(
                f"{sentence} That is {bad.mean():.0%} of the rows and at most "
                f"{max_bad_fraction:.0%} are dropped: repair the table or raise max_bad_fraction."
            )
        (alarms if on_bad_rows == "warn" else notes).append(f"{sentence} They were dropped.")
        table, rows = table.loc[~bad].reset_index(drop=True), rows[~bad]
    for column in numeric:
        _check_range(table[column].to_numpy(), column, labels[column], rows, where)

    again = _repeats(table)
    if np.any(again):
        verb = "repeat" if again.sum() > 1 else "repeats"
        repeated = f"{where}: {some_rows(rows[again])} {verb} another row in every column"
        if on_duplicates == "drop":
            alarms.append(
                f'{repeated}, and were dropped. Pass on_duplicates="keep" if they are runs of '
                "their own."
            )
            table, rows = table.loc[~again].reset_index(drop=True), rows[~again]
        else:
            notes.append(f"{repeated}, and were kept.")

    table = _derived(table, labels, notes, where)
    _check_units(table, gathered.roles.taken, where)
    if "run" in labels:
        distinct = len(table["run"].unique())
        if distinct < len(table):
            alarms.append(
                f"{where}: {len(table)} rows have only {distinct} distinct values of column "
                f"'{labels['run']}': checkpoints of one run are not independent, so intervals "
                "will be too narrow; keep one row a run, or fit with likelihood='curves'."
            )
    table = _with_run(table, rows, notes)
    if np.median(table["loss"]) > 15:
        alarms.append(
            f"{where}: the median of column '{labels['loss']}' is {np.median(table['loss']):.3g}, "
            "high for nats per token; if it is a perplexity, give its logarithm."
        )
    for alarm in alarms:
        warnings.warn(alarm, RunsWarning, skip_file_prefixes=(str(Path(__file__).parents[1]),))
    order = [column for column in CANONICAL if column in table]
    order += [column for column in table.columns if column not in order]
    return Runs(table.loc[:, order], name, (*alarms, *notes), gathered.provenance)


def _check_option(option: str, given: str, allowed: tuple[str, ...]) -> None:
    if given not in allowed:
        raise UsageError(f"{option} is {given!r}; it must be one of {', '.join(allowed)}.")


def some_rows(rows: np.ndarray) -> str:
    """The first few of some rows, in words."""
    shown = ", ".join(str(row) for row in rows[:5])
    more = f", ... ({len(rows)} in all)" if len(rows) > 5 else ""
    return f"row{'s' if len(rows) > 1 else ''} {shown}{more}"


def _bad_rows(table: pd.DataFrame, labels: Mapping[str, str], where: str) -> tuple[np.ndarray, str]:
    bad = np.zeros(len(table), dtype=bool)
    parts = []
    for column in NUMERIC:
        if column in table:
            here = ~np.isfinite(table[column].to_numpy())
            if here.any():
                bad |= here
                count = f"{here.sum()} non-finite value{'s' if here.sum() > 1 else ''}"
                rows = some_rows(np.flatnonzero(here) + 1)
                parts.append(f"column '{labels[column]}' has {count} ({rows})")
    return bad, f"{where}: {'; '.join(parts)}." if parts else ""


def _check_range(values: np.ndarray, column: str, label: str, rows: np.ndarray, where: str) -> None:
    least = _LEAST[column]
    wrong = values <= 0 if least == 0 else values < least
    if wrong.any():
        raise RunsError(
            f"{where}: column '{label}' is {values[wrong][0]:.6g} in {some_rows(rows[wrong])}; "
            f"{_RANGE[column]}. Correct or remove the rows, or check the unit."
        )


def _repeats(table: pd.DataFrame) -> np.ndarray:
    """Return which rows repeat an earlier one in every column, shape (run,)."""
    again = np.zeros(len(table), dtype=bool)
    ordered = np.sort(table["loss"].to_numpy())
    if np.all(ordered[1:] != ordered[:-1]):  # the usual case, at the price of a sort
        return again
    shared = np.array(table["loss"].duplicated(keep=False))
    for column in CANONICAL:
        if shared.any() and column in table:
            shared[shared] = table.loc[shared, column].duplicated(keep=False).to_numpy()
    if shared.any():
        keys = table.loc[shared]
        for column in [name for name in keys if pd.api.types.is_object_dtype(keys[name])]:
            keys = keys.assign(**{column: keys[column].map(repr)})
        again[shared] = keys.duplicated().to_numpy()
    return again


def _derived(
    table: pd.DataFrame, labels: dict[str, str], notes: list[str], where: str
) -> pd.DataFrame:
    if "N" in table and "C" in table and "D" not in table:
        tokens = table["C"].to_numpy() / 6 / table["N"].to_numpy()
        if tokens.min() < 1 or np.median(tokens / table["N"].to_numpy()) > 1e7:
            raise RunsError(
                f"{where}: D = C / (6 N) is {np.median(tokens):.3g} tokens at the median for N = "
                f"{np.median(table['N']):.3g}, so a unit is wrong: N must count parameters "
                f"(column '{labels['N']}') and C must count FLOP (column '{labels['C']}')."
            )
        notes.append("D computed as C / (6 N).")
        return table.assign(D=tokens)
    if "N" in table and "D" in table and "C" not in table:
        notes.append("C computed as 6 N D.")
        return table.assign(C=6 * table["N"] * table["D"])
    return table


def _check_units(table: pd.DataFrame, taken: Mapping[str, str], where: str) -> None:
    if not {"N", "D", "C"}.issubset(table.columns):
        return
    size, data, compute = (table[column].to_numpy() for column in RESOURCES)
    ratio = np.median(compute / 6 / size / data)
    if not 1 / 300 < ratio < 300:
        doubt = ""
        if "C" in taken:
            others = {name: label for name, label in taken.items() if name != "C"}
            stated = f" and {mapping(others)}" if others else ""
            doubt = (
                f" C was taken from column '{taken['C']}'; if that is not the compute of a whole "
                f"run, pass guess=False (command line: --no-guess){stated}."
            )
        raise RunsError(
            f"{where}: C / (6 N D) is {ratio:.3g} at the median and should be near 1, so a unit is "
            "wrong (1e6 means that N or D is in millions); give N in parameters, D in tokens and "
            f"C in FLOP.{doubt}"
        )


def _with_run(table: pd.DataFrame, rows: np.ndarray, notes: list[str]) -> pd.DataFrame:
    chunks = np.array_split(rows, len(rows) // 1_000_000 + 1)  # or 10 million names cost 0.5 GB
    made = pa.chunked_array([_row_names(chunk) for chunk in chunks]).to_pandas()
    if "run" not in table:
        return table.assign(run=made)
    unnamed = table["run"].isna().to_numpy()
    if np.any(unnamed):
        notes.append(f"{unnamed.sum()} runs without a name are called by their row.")
        return table.assign(run=table["run"].where(~unnamed, made))
    return table


def _row_names(rows: np.ndarray) -> pa.Array:
    text = pa.large_string()
    numbers = pc.cast(pa.array(rows), text)
    return pc.binary_join_element_wise(pa.scalar("row", text), numbers, pa.scalar(" ", text))
