"""From the runs of logs to a table: one row a run, or one a checkpoint, every choice named."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayescale.errors import RunsError, UsageError
from bayescale.logs import guesses, left_out, reduction, resources
from bayescale.logs.merged_run import MergedRun
from bayescale.logs.query import Query, query
from bayescale.logs.reduction import Reduced, Rule
from bayescale.runs.table import Runs, read_runs

Given = str | float | int | Mapping[str, float] | None
"""A resource as the user gives it: a key of the configuration, a number, or a number a run."""

COOLED = 0.2
"""Share of its largest value below which the last learning rate is that of a cooled run."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the user says; what is None is guessed by name, and said.

    Parameters
    ----------
    loss
        Name of the metric.
    N, D, C
        As in `Given`.
    tokens_per_step, batch, length
        Tokens a step; or sequences a step, and tokens a sequence.
    states
        Ends of a run that are taken; ``"any"`` for all.
    keep
        Keys of the configuration that become columns.
    """

    loss: str | None = None
    N: Given = None
    D: Given = None
    C: Given = None
    tokens_per_step: float | None = None
    batch: float | None = None
    length: float | None = None
    states: Sequence[str] | str = left_out.FINISHED
    keep: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name in ("tokens_per_step", "batch", "length"):
            value = getattr(self, name)
            if value is not None and not (0 < value < math.inf):
                raise UsageError(f"{name} is a positive number; got {value}.")
        if self.tokens_per_step is not None and (self.batch or self.length):
            raise UsageError(
                "tokens_per_step is batch x length, so give it alone, or batch and length."
            )


def one_row_a_run(runs: Sequence[MergedRun], options: Options, rule: Rule) -> Runs:
    """A table with the loss of each run at its end, as the rule says."""
    said: list[str] = []
    kept = left_out.by_state(runs, options.states, said)
    loss = guesses.choose_loss(kept, options.loss)
    said += [loss.said, rule.said]
    with query(kept) as database:
        reduced, twice = reduction.reduce(database, loss.metrics, rule)
        if twice:
            many = "runs" if twice > 1 else "run"
            said.append(f"{twice} {many} logged steps twice; the last write of a step was taken.")
        _say_missing(kept, reduced, said)
        ended = _ended(kept, reduced, options, said)
        tokens = _tokens(database, {run: one.step for run, one in ended.items()}, options, said)
        rate = guesses.choose(kept, guesses.LEARNING_RATE, "learning rate", "keep")
        cooled = _schedule(reduction.ends(database, rate.metrics), rate, said)
    _say_short(kept, ended, rule, said)
    rows = [
        {
            "run": kept[run].name,
            "loss": one.loss,
            "step": one.step,
            "state": kept[run].state or "unknown",
            "schedule": cooled.get(run),
        }
        for run, one in sorted(ended.items())
    ]
    table = pd.DataFrame(rows)
    sizes = _sizes(kept, [*sorted(ended)], options, said)
    members = [kept[run] for run in sorted(ended)]
    columns = {
        "N": sizes,
        "D": [tokens.get(run, math.nan) for run in sorted(ended)],
        "C": _given(members, "C", options.C, said),
    }
    return _table(table, columns, members, options, said)


def one_row_a_checkpoint(runs: Sequence[MergedRun], options: Options) -> Runs:
    """A table with a row for each record of the loss, for ``likelihood="curves"``."""
    if options.D is not None or options.C is not None:
        raise UsageError(
            "checkpoints take D from a counter of tokens or the tokens of a step, and C from N and "
            "D; pass tokens_per_step= instead of D= or C=."
        )
    said: list[str] = []
    kept = left_out.by_state(runs, options.states, said)
    loss = guesses.choose_loss(kept, options.loss)
    said += [loss.said, "Each row is one record of the loss: rows of a run are not independent."]
    guessed = options.tokens_per_step is None and options.batch is None and options.length is None
    none = guesses.Choice((None,) * len(kept), "")
    counter = guesses.choose(kept, guesses.TOKENS, "counter of tokens", "D") if guessed else none
    with query(kept) as database:
        found = reduction.checkpoints(database, loss.metrics, counter.metrics)
        if any(counter.metrics):
            last = {run: step for run, step, _, _ in found}
            back = {
                r for r, (_, b) in reduction.counted(database, counter.metrics, last).items() if b
            }
            said.append(f"D is the counter {_used(counter)}.")
            if back:
                names = left_out.named([kept[run].name for run in sorted(back)])
                said.append(f"The counter of tokens was set back in {names}; D is by the step.")
            found = [(r, s, v, None if r in back else c) for r, s, v, c in found]
    lengths = {run: _step_tokens(kept[run], options) for run in {row[0] for row in found}}
    if any(count is None for _, _, _, count in found):
        said.append(_said_step({r: f for r, f in lengths.items() if f.value}, lengths, kept))
    bad = [row for row in found if not math.isfinite(row[2])]
    rows = [row for row in found if math.isfinite(row[2]) and row[1] > 0]
    if len(rows) < len(found):
        said.append(
            f"{len(found) - len(rows)} records were left out: {len(bad)} with a loss that is not "
            "finite, the others at step 0."
        )
    if not rows:
        raise RunsError(f"no record of the loss is finite. {' '.join(said)}")
    table = pd.DataFrame(
        {
            "run": [kept[run].name for run, *_ in rows],
            "loss": [value for _, _, value, _ in rows],
            "step": [step for _, step, _, _ in rows],
        }
    )
    data = [
        count if count is not None else step * (lengths[run].value or math.nan)
        for run, step, _, count in rows
    ]
    number = {run: at for at, run in enumerate(lengths)}
    sizes = _sizes(kept, [*lengths], options, said)
    columns = {"N": [sizes[number[run]] for run, *_ in rows], "D": data}
    return _table(table, columns, [kept[run] for run, *_ in rows], options, said, curves=True)


def _used(choice: guesses.Choice) -> str:
    return " or ".join(f"'{name}'" for name in dict.fromkeys(n for n in choice.metrics if n))


def _say_missing(kept: Sequence[MergedRun], reduced: Mapping[int, Any], said: list[str]) -> None:
    missing = [run.name for number, run in enumerate(kept) if number not in reduced]
    if missing:
        many = "runs have" if len(missing) > 1 else "run has"
        said.append(f"{len(missing)} {many} no record of it ({left_out.named(missing)}), left out.")


def _ended(
    kept: Sequence[MergedRun], reduced: Mapping[int, Reduced], options: Options, said: list[str]
) -> dict[int, Reduced]:
    """The runs that did not diverge; with states="any" all whose loss is finite."""
    out = [
        number
        for number, one in reduced.items()
        if not math.isfinite(one.loss)
        or (options.states != left_out.ANY and left_out.diverged(one.final, one.least, one.first))
    ]
    if out:
        names = [
            f"{kept[n].name}: {reduced[n].final:.4g} after {reduced[n].least:.4g}" for n in out
        ]
        many = "runs" if len(out) > 1 else "run"
        said.append(
            f"{len(out)} diverged {many} left out, whose last loss is far above the least or not "
            f"finite ({left_out.named(names)})."
        )
    ended = {number: one for number, one in reduced.items() if number not in out}
    if not ended:
        raise RunsError(f"no run is left for the table. {' '.join(said)}")
    return ended


def _say_short(
    kept: Sequence[MergedRun], ended: Mapping[int, Reduced], rule: Rule, said: list[str]
) -> None:
    short = [
        kept[n].name for n, one in ended.items() if rule.k is not None and one.records < rule.k
    ]
    if short:
        said.append(f"Fewer than {rule.k} records were averaged in {left_out.named(short)}.")


def _schedule(
    found: Mapping[int, tuple[float, float]], rate: guesses.Choice, said: list[str]
) -> dict[int, str]:
    """Whether the learning rate had been lowered at the end, by run."""
    cooled = {
        run: "cooled" if last <= COOLED * most else "hot"
        for run, (last, most) in found.items()
        if math.isfinite(most) and most > 0
    }
    if cooled:
        hot = sum(one == "hot" for one in cooled.values())
        said.append(
            f"By {_used(rate)}, {hot} of {len(cooled)} runs end hot: their learning rate ends "
            f"above {COOLED:g} of its largest value (column schedule)."
        )
    return cooled


def _tokens(
    database: Query, at: dict[int, int], options: Options, said: list[str]
) -> dict[int, float]:
    """D of each run by its number: given, counted, or the step times the tokens of a step."""
    runs = database.runs
    if options.D is not None:
        values = _given([runs[run] for run in at], "D", options.D, said)
        return {r: v for r, v in zip(at, values or (), strict=True) if v is not None}
    found: dict[int, float] = {}
    if options.tokens_per_step is None and options.batch is None and options.length is None:
        counter = guesses.choose(runs, guesses.TOKENS, "counter of tokens", "D")
        counts = reduction.counted(database, counter.metrics, at)
        back = [runs[run].name for run, (_, set_back) in counts.items() if set_back]
        found = {
            run: count for run, (count, set_back) in counts.items() if not set_back and count > 0
        }
        if found:
            said.append(f"D is the counter {_used(counter)} at the step of the loss.")
        if back:
            said.append(
                f"The counter of tokens was set back in {left_out.named(back)}, as on resume."
            )
    rest = {run: step for run, step in at.items() if run not in found}
    lengths = {run: _step_tokens(runs[run], options) for run in rest}
    by_step = {r: one for r, one in lengths.items() if one.value and (rest[r] > 0)}
    found |= {run: rest[run] * float(one.value or 0) for run, one in by_step.items()}
    if by_step:
        said.append(_said_step(by_step, by_step, runs))
    planned = {
        run: held for run in rest if run not in found and (held := _planned(runs[run])) is not None
    }
    if planned:
        keys = " or ".join(f"'{key}'" for key in dict.fromkeys(key for key, _ in planned.values()))
        said.append(
            f"D is {keys} of the configuration for {len(planned)} runs: what was planned, taken as "
            "done."
        )
    found |= {run: value for run, (_, value) in planned.items()}
    missing = [run for run in rest if run not in found]
    if missing:
        names = left_out.named([runs[run].name for run in missing])
        said.append(f"D is not known of {names}: {lengths[missing[0]].said}.")
    return found


def _planned(run: MergedRun) -> tuple[str, float] | None:
    if held := resources.setting({**run.config, **run.summary}, resources.ALL_TOKENS):
        return held
    value = resources.size(run.config.get("D"))
    return None if value is None else ("D", value)


def _step_tokens(run: MergedRun, options: Options) -> resources.Found:
    if options.tokens_per_step is not None:
        return resources.Found(options.tokens_per_step, f"{options.tokens_per_step:g} tokens")
    return resources.tokens_a_step(run.config, options.batch, options.length)


def _said_step(
    known: Mapping[int, resources.Found],
    lengths: Mapping[int, resources.Found],
    runs: Sequence[MergedRun],
) -> str:
    if not known:
        first = next(iter(lengths))
        return f"D is not known of '{runs[first].name}': {lengths[first].said}."
    ways = list(dict.fromkeys(one.said for one in known.values()))
    return f"D is step x tokens a step, which are {' or '.join(ways[:3])}."


def _sizes(
    kept: Sequence[MergedRun], rows: Sequence[int], options: Options, said: list[str]
) -> list[float]:
    """N of some runs; NaN where it is not known."""
    runs = [kept[run] for run in rows]
    if options.N is not None:
        return [math.nan if v is None else v for v in _given(runs, "N", options.N, said) or ()]
    found = [resources.parameters({**run.summary, **run.config}) for run in runs]
    ways = list(dict.fromkeys(one.said for one in found if one.value is not None))
    said += [f"{way}." for way in ways]
    if len(ways) > 1:
        said.append("N is thus not counted in one way for all runs; name one with N=.")
    missing = [run.name for run, one in zip(runs, found, strict=True) if one.value is None]
    if missing:
        why = next(one.said for one in found if one.value is None)
        said.append(
            f"N is not known of {left_out.named(missing)}: {why}; pass N= (command line: --N)."
        )
    return [math.nan if one.value is None else one.value for one in found]


def _given(
    runs: Sequence[MergedRun], name: str, given: Given, said: list[str]
) -> list[float | None] | None:
    """A resource as the user gives it, run by run; None where nothing was given."""
    if given is None:
        return None
    if isinstance(given, Mapping):
        said.append(f"{name} is as given for each run.")
        return [resources.size(given.get(run.name)) for run in runs]
    if isinstance(given, str) and resources.size(given) is None:
        found = [resources.size({**run.summary, **run.config}.get(given)) for run in runs]
        if not any(found):
            keys = sorted({key for run in runs for key in {**run.summary, **run.config}})
            raise UsageError(
                f"{name}='{given}' is no key of a configuration that holds a positive number; "
                f"keys: {', '.join(keys[:20]) or 'none'}."
            )
        said.append(f"{name} is '{given}' of the configuration, as asked.")
        return [*found]
    value = resources.size(given)
    every: list[float | None] = [value] * len(runs)
    if value is None:
        raise UsageError(f"{name} is a positive number or a key of the configuration; got {given}.")
    said.append(f"{name} is {value:g} in every run, as asked.")
    return every


def _table(
    table: pd.DataFrame,
    columns: Mapping[str, Sequence[float | None] | None],
    runs: Sequence[MergedRun],
    options: Options,
    said: list[str],
    *,
    curves: bool = False,
) -> Runs:
    """The checked table with its provenance."""
    known = {}
    for name, values in columns.items():
        if values is not None and any(v is not None and math.isfinite(v) for v in values):
            known[name] = pd.Series([math.nan if v is None else v for v in values], dtype="float64")
    if not known:
        raise RunsError(f"the runs have neither N, D nor C, of which a law needs one. {_all(said)}")
    table = table.assign(**known)
    if "schedule" in table and not any(table["schedule"].notna()):
        table = table.drop(columns="schedule")
    for key in options.keep:
        table[key] = _setting(runs, key, [*table.columns])
    whole = np.isfinite(table[[*known, "loss"]].to_numpy(np.float64)).all(axis=1)
    if not whole.all():
        names = list(dict.fromkeys(table["run"][~whole]))
        said.append(
            f"{len(names)} run{'s' if len(names) > 1 else ''} without {' or '.join(known)} left "
            f"out ({left_out.named(names)})."
        )
        table = table.loc[whole].reset_index(drop=True)
    if not len(table):
        raise RunsError(f"no run is left for the table. {_all(said)}")
    table.attrs["provenance"] = said
    if not curves:
        return read_runs(table, name="logs", on_duplicates="keep")
    import warnings

    from bayescale.errors import RunsWarning

    with warnings.catch_warnings():  # that the rows of a run are not independent is wanted here
        warnings.simplefilter("ignore", RunsWarning)
        return read_runs(table, name="logs", on_duplicates="keep")


def _all(said: Sequence[str]) -> str:
    return " ".join(said)


def _setting(runs: Sequence[MergedRun], key: str, taken: Sequence[str]) -> list[Any]:
    if key in taken:
        raise UsageError(f"keep= names '{key}', which is a column of the table already.")
    values = [{**run.summary, **run.config}.get(key) for run in runs]
    if all(value is None for value in values):
        keys = sorted({name for run in runs for name in run.config})
        raise UsageError(
            f"keep= names '{key}', which no configuration has; keys: {', '.join(keys[:20])}."
        )
    return values
