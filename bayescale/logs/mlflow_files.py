"""MLflow's file store: folders of experiments, in them folders of runs, a file a metric.

Nothing in it has a checksum, so that a digit that changed on the disk cannot be noticed.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from bayescale.errors import LimitError, RunsError
from bayescale.logs.damage import Damage
from bayescale.logs.mlflow_runs import ACTIVE, STATUSES, StoredRun, run_log, with_deleted
from bayescale.logs.run_log import RunLog

META = "meta.yaml"

_KEY = re.compile(r"([A-Za-z_][A-Za-z0-9_]*):(?: (.*))?")
_ESCAPE = re.compile(
    r'\\(?:x([0-9A-Fa-f]{2})|U([0-9A-Fa-f]{8})|([ "\\/abefnrtv0]|u[0-9A-Fa-f]{4}))'
)
_POINT = re.compile(
    r"(-?\d{1,18}) (-?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|nan|-?inf)(?: (-?\d{1,18})(?: \S+ \S+)?)?"
)
_MOST_META = 1 << 20
_MOST_TEXT = 1 << 20
_MOST_POINTS = 1 << 30  # bytes of the metric files of a run


def described(path: Path) -> dict[str, str]:
    """Keys and values of a ``meta.yaml``: lines ``key: value``, and lines that go on with a value.

    Only what MLflow writes is read of YAML: plain and quoted text.

    Raises
    ------
    RunsError
        The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_META).decode("utf-8")
    except UnicodeDecodeError:
        raise RunsError(f"{path}: is damaged (not UTF-8).") from None
    except OSError as error:
        raise RunsError(f"{path}: cannot be read ({error.strerror}).") from None
    found: dict[str, str] = {}
    key = ""
    for line in text.splitlines():
        if match := _KEY.fullmatch(line):
            key = match[1]
            found[key] = (match[2] or "").strip()
        elif key and line.startswith(" "):
            found[key] = f"{found[key]} {line.strip()}"
        elif line.strip() and not line.startswith(("-", "#")):
            raise RunsError(
                f"{path}: is damaged ({line[:40]!r} is no line of the form key: value)."
            )
    return {name: _unquoted(value) for name, value in found.items()}


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == "'":
        return value[1:-1].replace("''", "'")
    if len(value) > 1 and value[0] == value[-1] == '"':
        return _ESCAPE.sub(_character, value[1:-1])
    return "" if value in ("null", "~") else value


def _character(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    if code:
        return chr(int(code, 16)) if int(code, 16) < 0x110000 else "\ufffd"
    named = {" ": " ", "a": "\a", "e": "\x1b", "v": "\v", "0": "\0"}
    return named.get(match[3]) or json.loads(f'"\\{match[3]}"').encode("utf-16", "replace").decode(
        "utf-16"
    )


def is_store(folder: Path) -> bool:
    """Whether a folder is a store, an experiment or a run of MLflow."""
    return bool(_kind(folder)) or any(
        _kind(inner) == "experiment" for inner in folder.iterdir() if inner.is_dir()
    )


def _kind(folder: Path) -> str:
    if not (folder / META).is_file():
        return ""
    try:
        meta = described(folder / META)
    except RunsError:
        return ""
    return "run" if "run_id" in meta else "experiment" if "artifact_location" in meta else ""


def runs(folder: Path) -> Iterator[RunLog]:
    """The runs of a store, an experiment, or the one of a run's folder.

    Raises
    ------
    RunsError
        Nothing can be read.
    LimitError
        Reading could exhaust memory.
    """
    kind = _kind(folder)
    if kind == "run":
        yield _run(folder, described(folder / META), "")
        return
    experiments = [folder] if kind == "experiment" else _folders(folder)
    found: list[tuple[int, Path, dict[str, str], str]] = []
    damaged, deleted = [], 0
    for experiment in experiments:
        if not (experiment / META).is_file():
            continue
        try:
            about = described(experiment / META)
        except RunsError as error:
            damaged.append(str(error))
            about = {}
        for inner in _folders(experiment):
            if not (inner / META).is_file():
                if (inner / "metrics").is_dir():
                    damaged.append(f"{inner}: has metrics but no {META}; left out.")
                continue
            try:
                meta = described(inner / META)
            except RunsError as error:
                damaged.append(f"{error} The run is left out.")
                continue
            if "run_id" not in meta:
                continue  # a model or a trace
            if {one.get("lifecycle_stage", ACTIVE) for one in (meta, about)} != {ACTIVE}:
                deleted += 1
            else:
                start = meta.get("start_time", "")
                when = int(start) if re.fullmatch(r"\d{1,18}", start) else 0
                found.append((when, inner, meta, about.get("name", "")))
    if not found:
        told = f" {deleted} deleted runs are left out." if deleted else ""
        raise RunsError(" ".join([f"{folder}: holds no run of MLflow.{told}", *damaged]))
    for place, (_, inner, meta, name) in enumerate(sorted(found, key=lambda one: one[:2])):
        run = _run(inner, meta, name, [] if place else damaged)
        yield run if place else with_deleted(run, deleted)


def _folders(folder: Path) -> list[Path]:
    return sorted(
        inner for inner in folder.iterdir() if inner.is_dir() and not inner.name.startswith(".")
    )


def _run(
    folder: Path, meta: dict[str, str], experiment: str, notes: list[str] | None = None
) -> RunLog:
    status = meta.get("status", "")
    number = int(status) if re.fullmatch("[1-5]", status) else 0
    run = StoredRun(
        id=meta.get("run_id") or folder.name,
        name=meta.get("run_name", ""),
        status=STATUSES[number - 1] if number else status,
        experiment=experiment,
        params=_texts(folder / "params"),
        tags=_texts(folder / "tags"),
        notes=[*(notes or [])],
    )
    return run_log(run, str(folder), _points(folder / "metrics", run))


def _files(folder: Path) -> list[tuple[str, Path]]:
    """Files below a folder, by the name that their place gives."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted((path.relative_to(folder).as_posix(), path) for path in found)


def _texts(folder: Path) -> dict[str, str]:
    found = {}
    for name, path in _files(folder):
        with path.open("rb") as file:
            found[name] = file.read(_MOST_TEXT).decode("utf-8", "replace")
    return found


def _points(folder: Path, run: StoredRun) -> list[tuple[str, float, int, int]]:
    """Points of all metrics by time; those of a metric in the order written."""
    found: list[tuple[tuple[int, int], str, float, int, int]] = []
    size = 0
    for name, path in _files(folder):
        size += path.stat().st_size
        if size > _MOST_POINTS:
            raise LimitError(
                f"{folder}: the metrics of a run are larger than {_MOST_POINTS} bytes; not read."
            )
        damage = Damage(str(path))
        lines = path.read_bytes().decode("utf-8", "replace").split("\n")
        latest, step, half = 0, 0, lines.pop()
        if half:
            damage.cut(len(half))
        for line in lines:
            match = _POINT.fullmatch(line.rstrip("\r"))
            if match is None:
                damage.count("lines are not 'time value step' and are left out")
                continue
            time, at = int(match[1]), int(match[3] or 0)
            # A batch of metrics has one time and one step; batches may share a millisecond.
            latest, step = (time, at) if time > latest else (latest, max(step, at))
            value = float(match[2])
            found.append(((latest, step), name, value, time, at))
            run.latest[name] = value
        run.notes += damage.notes()
    found.sort(key=lambda point: point[0])
    return [point[1:] for point in found]
