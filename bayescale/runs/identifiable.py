"""Whether a table of runs can teach a law: enough runs, sizes that vary, rows inside the domain."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayescale.errors import RunsError, RunsWarning
from bayescale.runs.mapping import absent
from bayescale.runs.table import Runs, some_rows
from bayescale.runs.vocabulary import RESOURCES
from theory.declaration.logdomain import log_value

LEAST_RUNS = 4
"""Fewest runs that are fitted; a law may have more parameters, whose priors are proper."""

FEW_RUNS = 8
"""Up to so many runs the prior carries much of the answer and is shown beside it."""


def are_few(count: int) -> bool:
    """Whether so many runs leave much of the answer to the prior."""
    return count <= FEW_RUNS


def require_identifiable(runs: Runs, resources: Sequence[str], n_parameters: int) -> None:
    """Refuse a table from which a law in `resources` with `n_parameters` cannot be learnt.

    Raises
    ------
    RunsError
        A resource is absent or has one value only, all losses are equal, or there are fewer rows
        than parameters and than `LEAST_RUNS`.

    Warns
    -----
    RunsWarning
        Two resources keep one ratio in all rows, so that their exponents are confounded.
    """
    if len(runs) == 0:
        raise RunsError(f"{runs.name}: there are no runs; check the selection.")
    for name in resources:
        if name not in runs.table:
            raise RunsError(absent(name, runs.table.columns, runs.name))
        if name not in RESOURCES:
            check_size(runs, name)
    if len(runs) < (least := min(n_parameters, LEAST_RUNS)):
        raise RunsError(
            f"{runs.name}: {len(runs)} rows are too few for a law with {n_parameters} parameters; "
            f"at least {least} are needed, so add runs, fix parameters by prior=, or choose a law "
            "with fewer parameters, such as 'power'."
        )
    if np.ptp(runs.loss) == 0:
        raise RunsError(
            f"{runs.name}: all {len(runs)} rows have the loss {runs.loss[0]:.6g}, so nothing can "
            "be learnt from them; check the column."
        )
    logs = {name: np.log(runs.column(name)) for name in resources}
    for name, log in logs.items():
        if np.ptp(log) < 1e-6:
            others = [other for other in resources if other != name]
            hint = f", or fit the one-resource law 'power' in {others[0]}" if others else ""
            raise RunsError(
                f"{runs.name}: all {len(runs)} rows have {name} = {runs.column(name)[0]:.6g}, so "
                f"the exponent of {name} is not identified; add runs at other {name}{hint}."
            )
    if len(resources) == 2 and np.ptp(logs[resources[1]] - logs[resources[0]]) < 0.01:
        ratio = f"{resources[1]}/{resources[0]}"
        warnings.warn(
            f"{runs.name}: {ratio} is the same in all rows, so the exponents of "
            f"{resources[0]} and {resources[1]} cannot be told apart, nor an optimal ratio found; "
            f"add runs at another {ratio}.",
            RunsWarning,
            skip_file_prefixes=(str(Path(__file__).parents[1]),),
        )


def require_domain(runs: Runs, relations: Sequence[Any], law: str) -> None:
    """Refuse rows outside the domain of a law.

    Parameters
    ----------
    runs
        The table.
    relations
        Inequalities between resources, as SymPy relations.
    law
        Its name.

    Raises
    ------
    RunsError
        With the rows that violate a relation.
    """
    for relation in relations:
        names = sorted(symbol.name for symbol in relation.free_symbols)
        logs = {name: np.log(runs.column(name).astype(np.float64)) for name in names}
        gap = log_value(relation.gts, logs, np) - log_value(relation.lts, logs, np)
        if np.any(wrong := gap < -1e-12):
            raise RunsError(
                f"{runs.name}: law '{law}' is meant for {relation}, which does not hold in "
                f"{some_rows(np.flatnonzero(wrong) + 1)}; remove them or choose another law."
            )


def check_size(runs: Runs, name: str) -> None:
    """Refuse a further resource column that is not positive numbers."""
    column = runs.table[name]
    numeric = pd.api.types.is_numeric_dtype(column)
    values = column.to_numpy(dtype=np.float64, na_value=np.nan) if numeric else np.array([])
    wrong = ~(np.isfinite(values) & (values > 0))
    if not numeric or wrong.any():
        rows = some_rows(np.flatnonzero(wrong) + 1) if numeric else "it is text"
        raise RunsError(
            f"{runs.name}: column '{name}' must hold positive numbers in every row to be a "
            f"resource of a law; not so: {rows}. Correct or remove the rows."
        )
