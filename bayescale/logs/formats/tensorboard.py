"""TensorBoard: event files, and folders in which each folder with event files is a run.

A file is a sequence of TensorFlow's records, each an ``Event`` of Protocol Buffers; field numbers
are those of tensorflow/core/util/event.proto and framework/summary.proto. Every point is read.
"""

import re
from collections.abc import Container, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from bayescale.errors import RunsError
from bayescale.logs import json_values, protobuf, tfrecord
from bayescale.logs.damage import Damage
from bayescale.logs.format import AbstractFormat
from bayescale.logs.history import History
from bayescale.logs.run_log import STEP, RunLog
from bayescale.logs.step_file import StepRows
from bayescale.logs.tensors import scalar

TIME = "wall_time"
"""Column of the time at which a record was written, in seconds since 1970."""

_FILES = "*tfevents*"
_HPARAMS_FOLDER = re.compile(r"\d{9,}\.\d+")
_WHEN = re.compile(r"tfevents\.(\d+)")

# Of Event
_WALL_TIME, _STEP, _SUMMARY = 1, 2, 5
# Of Summary, and of its Value
_VALUE = 1
_TAG, _SIMPLE, _TENSOR, _METADATA = 1, 2, 8, 9
# Of SummaryMetadata, its PluginData, HParamsPluginData, its session info, and one of its entries
_PLUGIN, _CONTENT, _START, _END, _HPARAMS, _STATUS = 1, 2, 3, 4, 1, 1
_HPARAMS_TAG = "_hparams_/"
_FAILURE = 2
# Of google.protobuf.Value
_NUMBER, _STRING, _BOOL = 2, 3, 4


class Format(AbstractFormat):
    """Event files of TensorBoard.

    The files of a folder are one run, in the order of the times in their names: a restart begins a
    file. A run is called by its folder, relative to the folder that is read.

    TensorBoard does not say how a run ended: the end that ``add_hparams`` writes is written at the
    start, so that only a failure says something.
    """

    title: ClassVar[str] = "TensorBoard"

    def claims(self, path: Path) -> bool:
        """Whether it is an event file by its name, or a folder that holds event files itself."""
        if path.is_dir():
            return any(file.is_file() for file in path.glob(_FILES))
        return "tfevents" in path.name

    def read(self, path: Path) -> Iterator[RunLog]:
        """The runs of a folder and of the folders in it, by name.

        Raises
        ------
        RunsError
            Nothing can be read.
        LimitError
            Reading could exhaust memory.
        """
        if not path.is_dir():
            yield _run([path], path.absolute().parent.name, str(path))
            return
        folders: dict[Path, list[Path]] = {}
        for file in path.rglob(_FILES):
            if file.is_file():
                folders.setdefault(file.parent, []).append(file)
        if not folders:
            raise RunsError(f"{path}: holds no event files of TensorBoard (names with 'tfevents').")
        for folder in sorted(folders):
            if _of_parent(folder, folders):
                continue
            own = folder == path
            name = path.absolute().name if own else folder.relative_to(path).as_posix()
            try:
                run = _run(sorted(folders[folder], key=_order), name, str(folder))
            except RunsError as error:
                if len(folders) == 1:
                    raise
                run = RunLog(name, str(folder), History(name).table(), notes=(str(error),))
            for inner in sorted(folders):
                if inner.parent == folder and _of_parent(inner, folders):
                    run = _with_hparams(run, _run(folders[inner], inner.name, str(inner)))
            yield run


def _of_parent(folder: Path, folders: Container[Path]) -> bool:
    """Whether ``add_hparams`` of the run of the folder above made it: its name is a time."""
    return folder.parent in folders and bool(_HPARAMS_FOLDER.fullmatch(folder.name))


def _with_hparams(run: RunLog, hparams: RunLog) -> RunLog:
    """A run with what its ``add_hparams`` wrote: how it was set up, and how it ended."""
    rows = [] if isinstance(hparams.history, StepRows) else hparams.history.to_pylist()
    last = rows[-1] if rows else {}
    ends = {k: v for k, v in last.items() if k not in (STEP, TIME) and v is not None}
    note = f"{hparams.source}: what add_hparams wrote is taken as config and summary of {run.name}."
    return replace(
        run,
        config={**run.config, **hparams.config},
        summary={**run.summary, **ends},
        state=hparams.state or run.state,
        notes=(*run.notes, *hparams.notes, note),
    )


def _order(file: Path) -> tuple[int, str]:
    """When a file was begun, by its name, and its name."""
    when = _WHEN.search(file.name)
    return (int(when[1][:20]) if when else 0, file.name)


def _run(files: list[Path], name: str, source: str) -> RunLog:
    run = _Run(source)
    notes: list[str] = []
    errors = []
    for path in files:
        damage = Damage(str(path))
        try:
            with path.open("rb") as file:
                if not sum(run.event(record, damage) for record in tfrecord.records(file, damage)):
                    errors.append(_nothing(path, damage))
                    damage = Damage(str(path))
        except OSError as error:
            errors.append(f"{path}: cannot be read ({error.strerror}).")
        notes += damage.notes()
    if len(errors) == len(files):
        raise RunsError(" ".join(errors))
    if len(files) > 1:
        notes.append(
            f"{source}: {len(files)} event files are read as one run, in the order of the times in "
            "their names; steps that a restart repeated stand twice."
        )
    return RunLog(
        name,
        source,
        run.history.table(),
        run.config,
        state="failed" if run.failed else None,
        notes=(*errors, *notes, *run.notes()),
        identity=f"tensorboard {Path(source).resolve()}",
    )


def _nothing(path: Path, damage: Damage) -> str:
    lost = " ".join(damage.notes()) or "the run was killed before its logger wrote."
    return f"{path}: holds no record of TensorBoard; {lost}"


class _Run:
    """A run while its files are read."""

    def __init__(self, source: str) -> None:
        self.history = History(source)
        self.config: dict[str, Any] = {}
        self.failed = False
        self._source = source
        self._left_out: dict[str, int] = {}

    def event(self, record: bytes, damage: Damage) -> bool:
        """Take the values of an event; whether it is one."""
        time, step, summaries = 0.0, 0, []
        try:
            for number, _, value in protobuf.fields(record):
                if number == _SUMMARY:
                    summaries.append(protobuf.nested(value))
                elif number == _STEP:
                    step = protobuf.signed(value)
                elif number == _WALL_TIME:
                    time = protobuf.double(value)
            values = [
                value
                for summary in summaries
                for number, _, message in protobuf.fields(summary)
                if number == _VALUE and (value := self._value(message)) is not None
            ]
        except protobuf.WireError as error:
            damage.count(f"events cannot be decoded ({error}) and are left out")
            return False
        for tag, number in values:
            self.history.point(step, tag, number, TIME, time)
        return True

    def _value(self, message: int | bytes) -> tuple[str, float | int] | None:
        """Tag and number of a value; None where it is no metric."""
        tag, found, metadata = "", None, b""
        for number, _, value in protobuf.fields(protobuf.nested(message)):
            if number == _TAG:
                tag = protobuf.text(value)
            elif number == _SIMPLE:
                found = protobuf.single(value)
            elif number == _TENSOR:
                found = scalar(protobuf.nested(value))
            elif number == _METADATA:
                metadata = protobuf.nested(value)
        if tag.startswith(_HPARAMS_TAG):
            self._session(metadata)
        elif isinstance(found, str):
            self.config |= _settings(tag, found)
        elif found is None:
            self._left_out[tag] = self._left_out.get(tag, 0) + 1
        else:
            return tag, found
        return None

    def _session(self, metadata: bytes) -> None:
        """Hyperparameters, and whether the run failed, from what the plugin keeps of a session."""
        for content in _inside(metadata, _PLUGIN, _CONTENT):
            for start in _inside(content, _START):
                for entry in _inside(start, _HPARAMS):
                    self._hparam(entry)
            for end in _inside(content, _END):
                status = [value for number, _, value in protobuf.fields(end) if number == _STATUS]
                self.failed |= status[-1:] == [_FAILURE]

    def _hparam(self, entry: bytes) -> None:
        for key in _inside(entry, 1):
            for content in _inside(entry, 2):
                for number, _, value in protobuf.fields(content):
                    if number == _NUMBER:
                        self.config[protobuf.text(key)] = protobuf.double(value)
                    elif number == _STRING:
                        self.config[protobuf.text(key)] = protobuf.text(value)
                    elif number == _BOOL:
                        self.config[protobuf.text(key)] = bool(value)

    def notes(self) -> tuple[str, ...]:
        """Sentences: what is not among the metrics."""
        found = self.history.notes()
        if self._left_out:
            tags = ", ".join(map(repr, [*self._left_out][:3]))
            found += (
                f"{self._source}: {sum(self._left_out.values())} values of {len(self._left_out)} "
                f"tags that are no scalars ({tags}{', ...' if len(self._left_out) > 3 else ''}) "
                "are left out.",
            )
        return found


def _settings(tag: str, text: str) -> dict[str, Any]:
    """What a text says of the run: settings where it is a JSON object, else the text itself."""
    try:
        found = json_values.parse(text) if text.lstrip().startswith("{") else None
    except json_values.JsonError:
        found = None
    return dict(json_values.flat(found)) if isinstance(found, dict) else {tag: text}


def _inside(message: bytes, *path: int) -> Iterator[bytes]:
    """The messages at a path of fields within a message."""
    for number, _, value in protobuf.fields(message):
        if number == path[0]:
            if len(path) == 1:
                yield protobuf.nested(value)
            else:
                yield from _inside(protobuf.nested(value), *path[1:])
