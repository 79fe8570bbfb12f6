"""``trainer_state.json`` of the Hugging Face Trainer: train and evaluation rows in one list."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from bayescale.errors import LimitError, RunsError
from bayescale.logs.format import AbstractFormat
from bayescale.logs.json_file import config_beside
from bayescale.logs.records import Records, flat
from bayescale.logs.run_log import RunLog

LARGEST = 1_000_000_000
"""Bytes of a file that are read into memory."""

_CONFIG = ("max_steps", "num_train_epochs", "trial_name", "trial_params")
_LIST = re.compile(r'"log_history"\s*:\s*\[')


class Format(AbstractFormat):
    """One file a run, or one a checkpoint, each holding all before it."""

    title = "Hugging Face trainer_state.json"
    companions: ClassVar[tuple[str, ...]] = ("config.json",)

    def claims(self, path: Path) -> bool:
        """By its name."""
        return path.is_file() and path.name == "trainer_state.json"

    def read(self, path: Path) -> Iterator[RunLog]:
        """The run of a file; of a file cut short, the rows that are whole."""
        content, notes = _content(path)
        config, more = config_beside(path)
        config |= flat({name: content[name] for name in _CONFIG if name in content})
        records, summary = Records(str(path)), {}
        for row in content["log_history"]:
            if not isinstance(row, dict):
                notes.append(f"{path}: an entry of log_history that is no record was left out.")
            elif "train_runtime" in row:  # the last row: means over the whole training
                summary |= flat(row)
            else:
                records.add(flat(row))
        folder = path.resolve().parent
        if re.fullmatch(r"checkpoint-\d+", folder.name):
            folder = folder.parent
        yield RunLog(
            name=folder.name,
            source=str(path),
            history=records.history(),
            config=config,
            summary=summary,
            state=_state(content, bool(summary)),
            notes=(*notes, *more),
            identity=f"trainer_state {folder}",
        )


def _state(content: dict[str, Any], ended: bool) -> str | None:
    done, planned = content.get("global_step"), content.get("max_steps")
    if ended:
        return "finished"
    if not isinstance(done, int) or not isinstance(planned, int) or planned <= 0:
        return None
    return "finished" if done >= planned else "running"


def _content(path: Path) -> tuple[dict[str, Any], list[str]]:
    try:
        if path.stat().st_size > LARGEST:
            raise LimitError(
                f"{path}: is larger than {LARGEST / 1e9:g} GB, which no trainer state needs; write "
                "the steps as JSON lines or Parquet."
            )
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise RunsError(f"'{path}' cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise RunsError(f"{path}: is not UTF-8 text, so it is no trainer state.") from None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return _whole_rows(text, path)
    if not isinstance(content, dict) or not isinstance(content.get("log_history"), list):
        raise RunsError(f"{path}: has no list 'log_history', so it is no trainer state.")
    return content, []


def _whole_rows(text: str, path: Path) -> tuple[dict[str, Any], list[str]]:
    """The rows of a damaged file before the damage."""
    start = _LIST.search(text)
    decoder, rows = json.JSONDecoder(), []
    at = start.end() if start else len(text)
    try:
        while (at := _next(text, at)) < len(text) and text[at] == "{":
            row, at = decoder.raw_decode(text, at)
            rows.append(row)
    except (ValueError, RecursionError):
        pass
    if not rows:
        raise RunsError(
            f"{path}: is damaged or cut short before its first record; nothing is left."
        )
    lost = f"{path}: is damaged after {len(rows)} records; those were read and the rest is lost."
    return {"log_history": rows}, [lost]


def _next(text: str, at: int) -> int:
    """Where the next entry of a list begins."""
    found = re.compile(r"[\s,]*").match(text, at)
    return found.end() if found else at
