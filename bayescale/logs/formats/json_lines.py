"""JSON lines: one record a line, as nanoGPT, OLMo, Levanter and many own loops write them."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from bayescale.errors import LimitError, RunsError
from bayescale.logs.csv_rows import lost
from bayescale.logs.format import AbstractFormat
from bayescale.logs.json_file import config_beside
from bayescale.logs.keys import SPLITS, STEPS, first_of, run_of
from bayescale.logs.records import Records, flat
from bayescale.logs.run_log import RunLog

LONGEST = 16 << 20
"""Bytes of a line."""

_SURE = (".jsonl", ".ndjson")
_MAYBE = (".json", ".log", ".txt")
_CONFIG = ("config", "hparams", "hyperparameters", "args")
_RUN = ("run", "run_id", "run_name")


class Format(AbstractFormat):
    """One file a run, or records that name their run."""

    title = "JSON lines"
    companions: ClassVar[tuple[str, ...]] = ("config.json",)

    def claims(self, path: Path) -> bool:
        """By its ending and a first line that is a record; of ``.json`` and ``.log``, by two."""
        suffix = path.suffix.lower()
        if suffix not in (*_SURE, *_MAYBE) or not path.is_file():
            return False
        try:
            with path.open("rb") as file:
                lines = [
                    line for line in (file.readline(LONGEST) for _ in range(3)) if line.strip()
                ]
        except OSError:
            return False
        wanted = 1 if suffix in _SURE else 2
        return len(lines) >= wanted and all(_record(line) is not None for line in lines[:wanted])

    def read(self, path: Path) -> Iterator[RunLog]:
        """The runs of a file; lines that are damaged are left out and named.

        Keys are flattened by dots. A first record without a step, where others have one, is the
        configuration. In a file called after a part of the data, such as ``eval.jsonl``, each
        metric is called after it too.
        """
        config, notes = config_beside(path)
        runs: dict[str, Records] = {}
        bad: list[int] = []
        last, first = 0, None
        for last, line in _lines(path):
            if not line.strip():
                continue
            record = _record(line)
            if record is None:
                bad.append(last)
                continue
            if first is None:
                first = record
                continue
            if first:
                held = _config(first, record)
                if held is None:
                    _add(runs, first, path)
                else:
                    config |= held
                first = {}
            _add(runs, record, path)
        if first:
            _add(runs, first, path)
        if not runs:
            raise RunsError(f"{path}: holds no record; nothing was read from it.")
        name = run_of(path)
        for run, records in runs.items():
            yield RunLog(
                name=run or name,
                source=str(path),
                history=records.history(),
                config=config,
                notes=(*notes, *lost(path, bad, last)),
                identity=f"json_lines {path.resolve().parent} {run or name}",
            )


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(LONGEST + 1):
                number += 1
                if len(line) > LONGEST:
                    raise LimitError(
                        f"{path}: line {number} is longer than {LONGEST >> 20} MB, which no record "
                        "needs; write one record a line."
                    )
                yield number, line
    except OSError as error:
        raise RunsError(f"'{path}' cannot be read: {error.strerror or error}.") from None


def _record(line: bytes) -> dict[str, Any] | None:
    """The record of a line; None where it is damaged."""
    try:
        content = json.loads(line.decode("utf-8-sig"))
        return flat(content) if isinstance(content, dict) else None
    except (ValueError, RecursionError, LimitError):
        return None


def _config(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any] | None:
    """The configuration that a first record is; None where it is one like the others."""
    if first_of(STEPS, first) is not None:
        return None
    heads = {name.partition(".")[0] for name in first}
    if first_of(STEPS, second) is None and not heads & {*_CONFIG}:
        return None
    return {
        name.partition(".")[2] if name.startswith(tuple(f"{c}." for c in _CONFIG)) else name: value
        for name, value in first.items()
    }


def _add(runs: dict[str, Records], record: dict[str, Any], path: Path) -> None:
    run = next((str(record.pop(name)) for name in _RUN if isinstance(record.get(name), str)), "")
    split = path.name.partition(".")[0].lower()
    if split in SPLITS:
        record = {
            name if name in STEPS or split in name else f"{split}/{name}": value
            for name, value in record.items()
        }
    runs.setdefault(run, Records(str(path))).add(record)
