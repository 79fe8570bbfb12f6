"""MLflow: its database of SQLite, and its file store."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from bayescale.errors import LimitError, RunsError
from bayescale.logs import mlflow_files
from bayescale.logs.database import Database, is_database, opened
from bayescale.logs.format import AbstractFormat
from bayescale.logs.mlflow_runs import ACTIVE, StoredRun, run_log, with_deleted
from bayescale.logs.run_log import RunLog

_NEEDED = {
    "runs": {"run_uuid", "status", "lifecycle_stage"},
    "metrics": {"key", "value", "timestamp", "run_uuid", "step", "is_nan"},
    "params": {"key", "value", "run_uuid"},
    "tags": {"key", "value", "run_uuid"},
}
_USUAL_NAME = "mlflow.db"


class Format(AbstractFormat):
    """Stores of MLflow: ``mlflow.db`` or ``mlruns/``.

    A run is called by its name and the first eight characters of its id, as names may repeat.
    MLflow writes one metric a record; points that follow each other with the same step are one
    record of the history. The database keeps a point that is written twice once. Damage that SQLite
    itself does not notice, a number changed within its cell, cannot be noticed here either.
    """

    title: ClassVar[str] = "MLflow"

    def claims(self, path: Path) -> bool:
        """Whether it is a database with the tables of MLflow, or a folder of its file store."""
        if path.is_dir():
            return mlflow_files.is_store(path)
        if not is_database(path):
            return False
        try:
            with opened(path, check=False) as database:
                return not _missing(database)
        except (RunsError, LimitError):
            return path.name == _USUAL_NAME

    def read(self, path: Path) -> Iterator[RunLog]:
        """The runs of a store, in the order they were started; deleted ones are left out.

        Raises
        ------
        RunsError
            Nothing can be read.
        LimitError
            Reading could exhaust memory.
        """
        if path.is_dir():
            try:
                yield from mlflow_files.runs(path)
            except OSError as error:
                raise RunsError(f"{error.filename}: cannot be read ({error.strerror}).") from None
            return
        with opened(path) as database:
            if missing := _missing(database):
                raise RunsError(f"{path}: a database without the tables of MLflow ({missing}).")
            found, deleted = _runs(database)
            if not found:
                told = f"; {deleted} deleted runs are left out" if deleted else ""
                raise RunsError(f"{path}: holds no run of MLflow{told}.")
            for place, run in enumerate(found):
                run.notes += () if place else database.notes
                log = run_log(run, str(path), _points(database, run))
                yield log if place else with_deleted(log, deleted)


def _missing(database: Database) -> str:
    """What a database lacks to be one of MLflow's."""
    lacking = (
        f"{table}.{column}"
        for table, columns in _NEEDED.items()
        for column in sorted(columns - set(database.columns(table)))
    )
    return next(lacking, "")


def _runs(database: Database) -> tuple[list[StoredRun], int]:
    """Runs that were not deleted, without their metrics, and how many were."""
    has = set(database.columns("runs"))
    columns = [name if name in has else "NULL" for name in ("name", "experiment_id", "start_time")]
    experiments = _experiments(database)
    found, deleted = [], 0
    for row in database.rows(
        f"SELECT run_uuid, status, lifecycle_stage, {', '.join(columns)} FROM runs "
        f"ORDER BY {columns[2]}, rowid"
    ):
        key, status, stage, name, experiment, _ = row
        about, live = experiments.get(experiment, ("", True))
        if database.text(stage or ACTIVE) != ACTIVE or not live:
            deleted += 1
            continue
        found.append(
            StoredRun(
                id=database.text(key),
                name=database.text(name or ""),
                status=database.text(status or ""),
                experiment=about,
            )
        )
    for run in found:
        run.params = _texts(database, "params", run)
        run.tags = _texts(database, "tags", run)
        if set(database.columns("latest_metrics")) >= {"key", "value", "is_nan", "run_uuid"}:
            run.latest = {
                database.text(name): _number(value, is_nan)
                for name, value, is_nan in database.rows(
                    "SELECT key, value, is_nan FROM latest_metrics WHERE run_uuid = ?", run.id
                )
                if isinstance(value, int | float)
            }
    return found, deleted


def _experiments(database: Database) -> dict[Any, tuple[str, bool]]:
    """Name of each experiment, and whether it was not deleted."""
    if not set(database.columns("experiments")) >= {"experiment_id", "name", "lifecycle_stage"}:
        return {}
    return {
        key: (database.text(name or ""), database.text(stage or ACTIVE) == ACTIVE)
        for key, name, stage in database.rows(
            "SELECT experiment_id, name, lifecycle_stage FROM experiments"
        )
    }


def _texts(database: Database, table: str, run: StoredRun) -> dict[str, str]:
    rows = database.rows(
        f"SELECT key, value FROM {table} WHERE run_uuid = ? ORDER BY rowid", run.id
    )
    return {database.text(key): database.text(value) for key, value in rows if value is not None}


def _points(database: Database, run: StoredRun) -> Iterator[tuple[str, float, int, int]]:
    left_out = 0
    for name, value, time, step, is_nan in database.rows(
        "SELECT key, value, timestamp, step, is_nan FROM metrics WHERE run_uuid = ? ORDER BY rowid",
        run.id,
    ):
        if isinstance(value, int | float) and isinstance(time, int) and isinstance(step, int):
            yield database.text(name), _number(value, is_nan), time, step
        else:
            left_out += 1
    if left_out:
        run.notes.append(f"{run.id}: {left_out} points are not numbers and are left out.")


def _number(value: float, is_nan: Any) -> float:
    """The number that was logged: SQL has no NaN, and MLflow writes the largest float for inf."""
    if is_nan:
        return float("nan")
    if abs(value) == sys.float_info.max:
        return float("inf") if value > 0 else -float("inf")
    return float(value)
