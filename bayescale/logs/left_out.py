"""Which runs are left out of a table: unfinished, crashed and diverged ones, each named."""

import math
from collections.abc import Sequence

from bayescale.errors import RunsError, UsageError
from bayescale.logs.merged_run import MergedRun
from bayescale.logs.resources import PLANNED_STEPS, setting

STATES = ("finished", "crashed", "failed", "killed", "running")
FINISHED = ("finished",)
ANY = "any"

LEAST_DONE = 0.9
"""Share of the planned steps below which a run is unfinished, where no logger says its state."""

DIVERGED_RATIO, DIVERGED_SHARE = 1.2, 0.5
"""A run diverged if its loss ends above its own minimum by this factor, and gave back more than
this share of what it had gained since its first record."""


def by_state(
    runs: Sequence[MergedRun], states: Sequence[str] | str, said: list[str]
) -> list[MergedRun]:
    """The runs that ended as wanted; those of which no logger says how they ended are kept.

    Raises
    ------
    RunsError
        If none is left.
    UsageError
        If a state is none of `STATES`.
    """
    if states == ANY:
        return [*runs]
    wanted = (states,) if isinstance(states, str) else tuple(states)
    if not wanted or (odd := [state for state in wanted if state not in STATES]):
        got = odd[0] if wanted else "none"
        raise UsageError(f"states= is '{ANY}' or some of {', '.join(STATES)}; got '{got}'.")
    kept, out = [], {}
    for run in runs:
        if run.state is not None and run.state not in wanted:
            out.setdefault(run.state, []).append(run.name)
        elif run.state is None and (short := _short(run)):
            out.setdefault("unfinished", []).append(f"{run.name}: {short}")
        else:
            kept.append(run)
    for state, names in out.items():
        many = "runs were" if len(names) > 1 else "run was"
        said.append(f"{len(names)} {state} {many} left out ({named(names)}).")
    if not kept:
        raise RunsError(
            f"no run is {' or '.join(wanted)}: {' '.join(said)} Take them with states='any' "
            "(command line: --any-state)."
        )
    return kept


def _short(run: MergedRun) -> str:
    """Why a run is unfinished, by the steps that were planned."""
    planned, last = setting(run.config, PLANNED_STEPS), run.span[1]
    if planned is None or last is None or last >= LEAST_DONE * planned[1]:
        return ""
    return f"step {last} of {planned[1]:g}"


def diverged(final: float, least: float, first: float) -> bool:
    """Whether a loss ends far above its own minimum, or is not finite at the end.

    Examples
    --------
    >>> diverged(9.0, least=2.5, first=10.0), diverged(2.6, least=2.5, first=10.0)
    (True, False)
    """
    if not math.isfinite(final):
        return True
    if final <= least or not math.isfinite(first):
        return False
    return final > DIVERGED_RATIO * least and final - least > DIVERGED_SHARE * (first - least)


def named(names: Sequence[str]) -> str:
    """Some names of runs, in words.

    Examples
    --------
    >>> named(["a", "b"])
    "'a', 'b'"
    """
    shown = ", ".join(f"'{name}'" for name in names[:5])
    return shown + (f", ... {len(names)} in all" if len(names) > 5 else "")
