"""What the command line does to a table before its use: a filter, finals, the best of a sweep."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bayescale.cli.inputs import pairs
from bayescale.errors import RunsError

if TYPE_CHECKING:
    from bayescale.runs.table import Runs


def prepared(
    runs: "Runs",
    only: Sequence[str] | None,
    finals: str | None,
    best_of: Sequence[str] | None,
) -> "Runs":
    """The table with what the options of preparation leave of it, in this order.

    Parameters
    ----------
    runs
        As it was read.
    only
        ``COLUMN=VALUE``: rows with that value; of one column any of several values.
    finals
        Column that names the run of a row; the last row of each is kept.
    best_of
        Swept columns, of which the best at each size is kept (`bayescale.envelope`).

    Raises
    ------
    RunsError
        If no row is left.
    """
    allowed: dict[str, list[str]] = {}
    for item in only or ():
        ((name, value),) = pairs([item], "only", "corpus=web").items()
        allowed.setdefault(name, []).append(value)
    for name, values in allowed.items():
        runs = _only(runs, name, values)
    if finals is not None:
        runs = runs.finals(finals)
    if best_of:
        from bayescale.runs.envelope import envelope

        runs = envelope(runs, best_of)
    return runs


def _only(runs: "Runs", name: str, values: list[str]) -> "Runs":
    import numpy as np

    column = runs.column(name)
    mask = np.isin(column.astype(str), values)
    numbers = [float(value) for value in values if _is_number(value)]
    if numbers and np.issubdtype(column.dtype, np.number):
        mask |= np.isin(column.astype(float), numbers)
    if not mask.any():
        found = sorted(set(column.astype(str)))
        more = ", ..." if len(found) > 8 else ""
        raise RunsError(
            f"{runs.name}: no row has {' or '.join(values)} in column '{name}'; it holds "
            f"{', '.join(found[:8])}{more}."
        )
    kept = f"Rows with {' or '.join(values)} in column '{name}' were kept: {mask.sum()}."
    return runs.select(mask, note=kept)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
