"""What MLflow keeps of a run, in whichever store, and the run of a log made of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from bayescale.logs.history import History
from bayescale.logs.json_values import typed
from bayescale.logs.run_log import RunLog

TIME = "timestamp"
"""Column of the time at which a record was written, in milliseconds since 1970."""

ACTIVE = "active"
"""Life cycle stage of a run that was not deleted."""

NAME_TAG = "mlflow.runName"

_STATES = {
    "RUNNING": "running",
    "SCHEDULED": "running",
    "FINISHED": "finished",
    "FAILED": "failed",
    "KILLED": "killed",
}
STATUSES = ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")
"""In the order of their numbers, which begin at 1."""

_OWN_TAGS = "mlflow."


@dataclass
class StoredRun:
    """A run as a store has it.

    Parameters
    ----------
    id, name, status, experiment
        The run's own; empty where the store says nothing.
    params, tags
        Text by name.
    latest
        Last value of each metric, where the store keeps it.
    notes
        Sentences: what was lost.
    """

    id: str
    name: str = ""
    status: str = ""
    experiment: str = ""
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    latest: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def run_log(run: StoredRun, source: str, points: Iterable[tuple[str, float, int, int]]) -> RunLog:
    """The run, with its metrics.

    Parameters
    ----------
    run
        The run as its store has it.
    source
        The store, for messages.
    points
        Metric, value, time and step of each point, in the order written.

    Raises
    ------
    LimitError
        The history would not fit in memory.
    """
    history = History(source)
    for name, value, time, step in points:
        history.point(step, name, value, TIME, time)
    config = {name: typed(text) for name, text in run.params.items()}
    config |= {
        f"tags.{name}": text for name, text in run.tags.items() if not name.startswith(_OWN_TAGS)
    }
    if run.experiment:
        config.setdefault("experiment", run.experiment)
    name = run.name or run.tags.get(NAME_TAG, "")
    called = f"{name} ({run.id[:8]})" if name else run.id
    notes = [*run.notes, *history.notes()]
    state = _STATES.get(run.status)
    if state == "running":
        notes.append(
            f"{source}: MLflow says that {called} is running, which it also says of a run that was "
            "killed from outside."
        )
    return RunLog(
        called,
        source,
        history.table(),
        config,
        dict(run.latest),
        state,
        tuple(notes),
        f"mlflow {run.id}",
    )


def with_deleted(run: RunLog, deleted: int) -> RunLog:
    """A run whose notes say how many runs beside it were left out as deleted."""
    if not deleted:
        return run
    note = f"{run.source}: {deleted} deleted run{'' if deleted == 1 else 's'} left out."
    return replace(run, notes=(*run.notes, note))
