"""Names under which loggers keep the same thing: steps, runs, and the words of a name."""

import re
from collections.abc import Iterable
from pathlib import Path

STEPS = (
    "_step",
    "step",
    "global_step",
    "trainer/global_step",
    "iteration",
    "iter",
    "iter_num",
    "update",
    "train/step",
    "train/global_step",
)
"""Names of the column that counts steps, the first found being taken."""

RUNS = ("run", "run_id", "run_name", "runname", "experiment", "experiment_name", "name", "trial")
"""Names of the column that names the run, in lower case, the first found being taken."""

GENERIC = ("log", "logs", "metrics", "history", "results", "stats", "trainer_state", "scalars")
"""Names of files that say nothing of the run; their folder's name is taken."""

SPLITS = ("train", "eval", "val", "valid", "validation", "test")
"""Parts of the data, after which loggers call files and metrics."""


def plain(name: str) -> str:
    """The name in lower case, its words joined by ``_``.

    Examples
    --------
    >>> plain("eval/CE loss"), plain("numParams")
    ('eval_ce_loss', 'num_params')
    """
    apart = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return re.sub(r"[^a-z0-9]+", "_", apart.lower()).strip("_")


def first_of(known: Iterable[str], names: Iterable[str]) -> str | None:
    """The name that is the first of those known, upper and lower case alike; None where none is."""
    held = {name.lower(): name for name in reversed([*names])}
    return next((held[one] for one in known if one in held), None)


def run_of(path: Path) -> str:
    """What a run is called that only its file names: its stem, or its folder's where that is bare.

    Examples
    --------
    >>> run_of(Path("sweep/lr3/log.jsonl")), run_of(Path("sweep/lr3.jsonl"))
    ('lr3', 'lr3')
    """
    stem = path.name.partition(".")[0]
    bare = stem.lower() in (*GENERIC, *SPLITS) or stem.isdigit()
    return path.resolve().parent.name or stem if bare else stem
