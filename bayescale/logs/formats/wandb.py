"""Weights & Biases: the ``.wandb`` file of a run, its folder, and the folder of all runs.

The file is a log of LevelDB whose records are messages of Protocol Buffers, each with one of the
fields below; values are JSON text. Field numbers are those of wandb/proto/wandb_internal.proto.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from bayescale.errors import RunsError
from bayescale.logs import leveldb_log, protobuf
from bayescale.logs.damage import Damage
from bayescale.logs.format import AbstractFormat
from bayescale.logs.history import History
from bayescale.logs.json_values import JsonError, flat, parse
from bayescale.logs.run_log import RunLog

SUFFIX = ".wandb"
MARK = b":W&B\xe1\xbe"
"""First bytes of a file; one byte of version follows."""
VERSION = 0

_FOLDERS = ("offline-run-*", "run-*")

# Of Record
_HISTORY, _SUMMARY, _CONFIG, _RUN, _EXIT = 2, 3, 5, 17, 18
# Of HistoryRecord, SummaryRecord and ConfigRecord, whose items are alike
_ITEMS, _STEP = 1, 2
_UPDATE, _REMOVE = 1, 2
_KEY, _NESTED_KEY, _VALUE = 1, 2, 16
# Of RunRecord
_ID, _RUN_CONFIG, _RUN_SUMMARY, _NAME = 1, 4, 5, 8

_DEEPEST = 32

_CRASHED = "crashed"

_OWN = "_wandb"  # what W&B writes to config and summary for itself


class Format(AbstractFormat):
    """Offline runs of Weights & Biases.

    A run without an exit record is ``crashed``, which is also how a run looks that still goes on.
    It is called by its name and, as names may repeat, its id: ``NAME (ID)``. The files of a resumed
    run have one id, and each is given as a run of the same name. System metrics, console output and
    artifacts are not read.
    """

    title: ClassVar[str] = "W&B"

    def claims(self, path: Path) -> bool:
        """Whether it is a file ``*.wandb``, the folder of a run, or one that holds such folders."""
        if path.is_dir():
            return bool(_files(path))
        return path.suffix == SUFFIX

    def read(self, path: Path) -> Iterator[RunLog]:
        """The runs, in the order they were started.

        Raises
        ------
        RunsError
            Nothing can be read.
        LimitError
            Reading could exhaust memory.
        """
        if not path.is_dir():
            yield _run(path)
            return
        files = _files(path)
        if not files:
            raise RunsError(f"{path}: holds no run of W&B (folders run-* with a file *{SUFFIX}).")
        for file in files:
            try:
                run = _run(file)
            except RunsError as error:
                if len(files) == 1:
                    raise
                run = _empty(file, str(error))
            yield run


def _files(folder: Path) -> list[Path]:
    """Files of the runs of a folder; ``latest-run``, a link to one of them, is no other run."""
    if own := sorted(folder.glob(f"*{SUFFIX}")):
        return own
    found = {file for name in _FOLDERS for file in folder.glob(f"{name}/*{SUFFIX}")}
    return sorted(found, key=lambda file: (_date(file.parent.name), file.name))


def _date(folder: str) -> str:
    return folder.partition("run-")[2]


def _named_by(file: Path) -> str:
    """What a run is called whose file does not say."""
    return file.stem.removeprefix("run-")


def _empty(file: Path, note: str) -> RunLog:
    nothing = History(str(file)).table()
    return RunLog(_named_by(file), str(file), nothing, state=_CRASHED, notes=(note,))


def _run(path: Path) -> RunLog:
    run = _Run(path)
    try:
        with path.open("rb") as file:
            run.read(file)
    except OSError as error:
        raise RunsError(f"{path}: cannot be read ({error.strerror}).") from None
    return run.log()


class _Run:
    """A run while its file is read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._damage = Damage(str(path))
        self._history = History(str(path))
        self._config: dict[str, Any] = {}
        self._summary: dict[str, Any] = {}
        self._id = self._name = ""
        self._exit: int | None = None
        self._records = 0

    def read(self, file: io.BufferedIOBase) -> None:
        head = file.read(len(MARK) + 1)
        if head[: len(MARK)] != MARK:
            raise RunsError(
                f"{self._path}: not a file of W&B (it should begin with {MARK!r}); nothing was "
                "read from it."
            )
        if head[len(MARK) :] != bytes([VERSION]):
            raise RunsError(
                f"{self._path}: a W&B file of a version that is not known here (known: {VERSION}); "
                "export the run from W&B as Parquet or CSV."
            )
        for record in leveldb_log.records(file, len(head), self._damage):
            self._records += 1
            try:
                self._record(record)
            except (protobuf.WireError, JsonError) as error:
                self._damage.count(f"records cannot be decoded ({error}) and are left out")
        if not self._records:
            lost = " ".join(self._damage.notes()) or "the run was killed before its logger wrote."
            raise RunsError(f"{self._path}: holds no record; {lost}")

    def _record(self, record: bytes) -> None:
        for number, _, value in protobuf.fields(record):
            if number == _HISTORY:
                self._log(protobuf.nested(value))
            elif number == _SUMMARY:
                self._update(self._summary, protobuf.nested(value))
            elif number == _CONFIG:
                self._update(self._config, protobuf.nested(value))
            elif number == _RUN:
                self._describe(protobuf.nested(value))
            elif number == _EXIT:
                exits = dict(_numbers(protobuf.nested(value)))
                self._exit = protobuf.signed(exits.get(1, 0))

    def _describe(self, message: bytes) -> None:
        for number, _, value in protobuf.fields(message):
            if number == _ID:
                self._id = protobuf.text(value)
            elif number == _NAME:
                self._name = protobuf.text(value)
            elif number == _RUN_CONFIG:
                self._update(self._config, protobuf.nested(value))
            elif number == _RUN_SUMMARY:
                self._update(self._summary, protobuf.nested(value))

    def _log(self, message: bytes) -> None:
        step: Any = None
        values = []
        for number, _, value in protobuf.fields(message):
            if number == _ITEMS:
                keys, content = _item(protobuf.nested(value))
                if keys == ("_step",):
                    step = content
                else:
                    values += flat(content, ".".join(keys))
            elif number == _STEP and step is None:
                step = protobuf.signed(dict(_numbers(protobuf.nested(value))).get(1, 0))
        self._history.record(step)
        for name, content in values:
            self._history.put(name, content)

    def _update(self, tree: dict[str, Any], message: bytes) -> None:
        for number, _, value in protobuf.fields(message):
            if number not in (_UPDATE, _REMOVE):
                continue
            keys, content = _item(protobuf.nested(value))
            inner = tree
            for key in keys[:-1]:
                if not isinstance(inner.get(key), dict):
                    inner[key] = {}
                inner = inner[key]
            if number == _UPDATE:
                inner[keys[-1]] = content
            else:
                inner.pop(keys[-1], None)

    def log(self) -> RunLog:
        """The run, once its file is read."""
        notes = [*self._damage.notes(), *self._history.notes()]
        if self._exit is None:
            notes.append(
                f"{self._path}: has no exit record, so the run is taken as crashed (killed, or "
                "still going on)."
            )
        known, name = self._id or _named_by(self._path), self._name
        return RunLog(
            name=f"{name} ({known})" if name not in ("", known) else known,
            source=str(self._path),
            history=self._history.table(),
            config=_flat(self._config),
            summary=_flat(self._summary),
            state=_CRASHED if self._exit is None else "failed" if self._exit else "finished",
            notes=tuple(notes),
            identity=f"wandb {self._id or self._path.resolve()}",
        )


def _flat(tree: dict[str, Any]) -> dict[str, Any]:
    return dict(flat({key: value for key, value in tree.items() if key != _OWN}))


def _item(message: bytes) -> tuple[tuple[str, ...], Any]:
    """Keys of an item from the outermost in, and its value."""
    key, nested, value = "", [], "null"
    for number, _, content in protobuf.fields(message):
        if number == _KEY:
            key = protobuf.text(content)
        elif number == _NESTED_KEY:
            nested.append(protobuf.text(content))
        elif number == _VALUE:
            value = protobuf.text(content)
    if len(nested) > _DEEPEST:
        raise protobuf.WireError(f"a key of more than {_DEEPEST} levels")
    found = parse(value)
    if isinstance(found, dict | list):
        for _ in flat(found):  # what cannot be flattened is found here
            pass
    return (tuple(nested) or (key,)), found


def _numbers(message: bytes) -> Iterator[tuple[int, int]]:
    for number, _, value in protobuf.fields(message):
        if isinstance(value, int):
            yield number, value
