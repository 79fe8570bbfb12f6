"""The loss of each run, reduced from its history by one statement of SQL.

Steps that were written twice, as after a resume, count once: the last write wins. Only runs in
which that happened are sorted; of the others every step is known to be written once.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bayescale.errors import LimitError, UsageError
from bayescale.logs.query import Columns, Query, listed
from theory.errors import did_you_mean

WHICH = ("last", "min", "mean_last")

MOST_CHECKPOINTS = 5_000_000
"""Evaluations that are put in a table of checkpoints."""


@dataclass(frozen=True)
class Rule:
    """How a history becomes one number.

    Parameters
    ----------
    which
        The ``last`` record, the ``min``, or ``mean_last``, the mean of the last `k`.
    k
        Records that are averaged.
    smooth
        Half-life in steps of an exponential average up to the last record; with ``last`` only.

    Raises
    ------
    UsageError
        If they do not go together.
    """

    which: str = "last"
    k: int | None = None
    smooth: float | None = None

    def __post_init__(self) -> None:
        if self.which not in WHICH:
            raise UsageError(
                f"which is '{self.which}'; it must be one of {', '.join(WHICH)}."
                f"{did_you_mean(self.which, WHICH)}"
            )
        if (self.which == "mean_last") != (self.k is not None):
            raise UsageError(
                "which='mean_last' and k= go together: k is the number of records averaged; got "
                f"which='{self.which}' and k={self.k} (command line: --which mean_last --last K)."
            )
        if self.k is not None and not 1 <= self.k <= 10_000:
            raise UsageError(f"k is a number of records from 1 to 10000; got {self.k}.")
        if self.smooth is not None and not (0 < self.smooth < math.inf):
            raise UsageError(f"smooth is a half-life in steps, positive; got {self.smooth}.")
        if self.smooth is not None and self.which != "last":
            raise UsageError(
                f"smooth= goes with which='last', not '{self.which}': a minimum or mean is taken "
                "of records as they are."
            )

    @property
    def said(self) -> str:
        """A sentence on it."""
        if self.smooth is not None:
            return (
                "The loss of a run is its exponential average at the last record, half-life "
                f"{self.smooth:g} steps."
            )
        return {
            "last": "The loss of a run is its last record.",
            "min": "The loss of a run is the minimum of its records, which is below its "
            "expectation where the records are noisy.",
            "mean_last": f"The loss of a run is the mean of its last {self.k} records.",
        }[self.which]


@dataclass(frozen=True)
class Reduced:
    """What a history was reduced to.

    Parameters
    ----------
    loss, step
        The loss by the rule, and the step at which it is.
    records
        Records of the loss.
    final, least, first
        Last, least and first loss as logged.
    """

    loss: float
    step: int
    records: int
    final: float
    least: float
    first: float


def reduce(query: Query, loss: Sequence[str | None], rule: Rule) -> tuple[dict[int, Reduced], int]:
    """The loss of each run that has one.

    Parameters
    ----------
    query
        The runs.
    loss
        Its name in each run.
    rule
        How it is reduced.

    Returns
    -------
    dict of int to Reduced, int
        By the number of the run; and how many runs had steps written twice.
    """
    columns: Columns = {"loss": loss}
    again = query.rewound(columns)
    rows = _once(query, columns, again)
    value = {"last": "arg_max(loss, step)", "min": "min(loss)"}.get(rule.which, "")
    at = "arg_min(step, loss)" if rule.which == "min" else "max(step)"
    if rule.which == "mean_last":
        value = f"list_avg(max_by(loss, step, {rule.k}))"
    if rule.smooth is not None:  # sum of 2^(-age/half-life) loss over sum of 2^(-age/half-life)
        weight = f"pow(2, (step - final_step) / {rule.smooth!r})"
        rows = (
            f"(SELECT run, step, loss, {weight} AS weight FROM {rows} AS a JOIN (SELECT run, "
            f"max(step) AS final_step FROM {rows} AS b GROUP BY run) AS ends USING (run))"
        )
        value = "sum(loss * weight) / sum(weight)"
    found = query.all(
        f"SELECT run, {value}, {at}, count(*), arg_max(loss, step), min(loss), "
        f"arg_min(loss, step) FROM {rows} AS rows GROUP BY run"
    )
    reduced = {run: Reduced(_number(one), *rest) for run, one, *rest in found}
    return reduced, _twice(query, columns, again)


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _once(query: Query, columns: Columns, again: Sequence[int]) -> str:
    """The rows, each step once."""
    names = ", ".join(columns)
    if not again:
        return query.rows_of(columns)
    rows = query.rows_of(columns, written=True)
    last = ", ".join(f"arg_max({name}, place) AS {name}" for name in columns)
    return (
        f"(SELECT run, step, {names} FROM {rows} AS a WHERE run NOT IN {listed(again)} UNION "
        f"ALL SELECT run, step, {last} FROM {rows} AS b WHERE run IN {listed(again)} GROUP BY run, "
        "step)"
    )


def _twice(query: Query, columns: Columns, again: Sequence[int]) -> int:
    """Runs in which a step was written more than once."""
    if not again:
        return 0
    rows = query.rows_of(columns)
    found = query.all(
        f"SELECT run FROM {rows} AS rows WHERE run IN {listed(again)} GROUP BY run "
        "HAVING count(*) > count(DISTINCT step)"
    )
    return len(found)


def ends(query: Query, metric: Sequence[str | None]) -> dict[int, tuple[float, float]]:
    """Last and largest value of a metric in each run that has several records of it."""
    if not any(metric):
        return {}
    rows = query.rows_of({"metric": metric})
    found = query.all(
        f"SELECT run, arg_max(metric, step), max(metric) FROM {rows} AS r GROUP BY run "
        "HAVING count(*) > 1"
    )
    return {run: (last, most) for run, last, most in found}


SET_BACK = 1.1
"""A counter is set back where its tokens a step were once larger than at the end by this factor."""


def counted(
    query: Query, counter: Sequence[str | None], at: dict[int, int]
) -> dict[int, tuple[float, bool]]:
    """A counter at a step of each run, and whether it was set back before, as some are on resume.

    Parameters
    ----------
    query
        The runs.
    counter
        Name of the metric in each run.
    at
        The step by the number of the run; the last record up to it counts.
    """
    wanted = [metric if number in at else None for number, metric in enumerate(counter)]
    if not any(wanted):
        return {}
    columns: Columns = {"counter": wanted}
    again = query.rewound(columns)
    rows = _once(query, columns, again)
    steps = ", ".join(f"({run}, {step})" for run, step in at.items())
    late = "step >= 20 AND step >= 0.05 * chosen"
    found = query.all(
        "SELECT run, arg_max(counter, step), max(counter), max(step), max(counter / step) FILTER "
        f"({late}) FROM {rows} AS rows JOIN (VALUES {steps}) AS chosen(run, chosen) USING (run) "
        "WHERE step <= chosen GROUP BY run"
    )
    return {
        run: (last, most > last or (rate is not None and rate * step > SET_BACK * last))
        for run, last, most, step, rate in found
    }


def checkpoints(
    query: Query, loss: Sequence[str | None], counter: Sequence[str | None]
) -> list[tuple[int, int, float, float | None]]:
    """Each record of the loss: run, step, loss, and the counter at the last record up to it.

    Raises
    ------
    LimitError
        If there are more than `MOST_CHECKPOINTS`.
    """
    columns: Columns = {"loss": loss}
    again = query.rewound(columns)
    rows = _once(query, columns, again)
    number = query.all(f"SELECT count(*) FROM {rows} AS rows")[0][0]
    if number > MOST_CHECKPOINTS:
        raise LimitError(
            f"there are {number} records of the loss, and at most {MOST_CHECKPOINTS} checkpoints "
            "are put in a table; name a loss that is logged less often, such as one of evaluation."
        )
    if not any(counter):
        found = query.all(f"SELECT run, step, loss, NULL FROM {rows} AS a ORDER BY run, step")
    else:
        counts = _once(query, {"counter": counter}, query.rewound({"counter": counter}))
        found = query.all(
            f"SELECT a.run, a.step, a.loss, b.counter FROM {rows} AS a ASOF LEFT JOIN {counts} AS "
            "b ON a.run = b.run AND a.step >= b.step ORDER BY a.run, a.step"
        )
    return [(run, step, _number(value), count) for run, step, value, count in found]
