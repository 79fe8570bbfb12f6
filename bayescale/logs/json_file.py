"""A small JSON file beside the logs, such as the configuration of a model."""

import json
from pathlib import Path
from typing import Any

from bayescale.errors import LimitError
from bayescale.logs.records import flat

LARGEST = 10_000_000
"""Bytes of a configuration that are read; more than that is none."""


def config_beside(path: Path, name: str = "config.json") -> tuple[dict[str, Any], tuple[str, ...]]:
    """The flat values of a JSON file in the folder of `path`, and what could not be read of it.

    Parameters
    ----------
    path
        The log.
    name
        What the file is called.
    """
    beside = path.with_name(name)
    if not beside.is_file():
        return {}, ()
    try:
        if beside.stat().st_size > LARGEST:
            return {}, (f"{beside}: is too large for a configuration and was not read.",)
        content = json.loads(beside.read_text("utf-8-sig"))
        return (flat(content) if isinstance(content, dict) else {}), ()
    except (OSError, ValueError, RecursionError, LimitError):
        return {}, (f"{beside}: is no JSON that can be read, so the run has no configuration.",)
