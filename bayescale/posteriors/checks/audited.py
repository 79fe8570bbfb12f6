"""The gate on what the audit found in a table (`bayescale.auditing`)."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from bayescale.auditing.audit import audit
from bayescale.diagnosis import Diagnosis
from bayescale.models.model import Model
from bayescale.runs.table import Runs

KEY = "audit"
"""Where a posterior's record keeps it."""


def audited(model: Model, runs: Runs, *, seed: int) -> dict[str, Any]:
    """What the audit of a table finds that its model does not take care of, for the record.

    Parameters
    ----------
    model
        Whose resources, groups and noise say what is taken care of.
    runs
        The table; of a model of groups, each group is a table.
    seed
        Seed of the audit.

    Returns
    -------
    dict
        ``{KEY: ...}``; empty where nothing was found.
    """
    known = {resource.name for resource in model.law.resources}
    curves = model.likelihood.dependent
    if model.pooling is None:
        found = audit(runs, known=known, curves=curves, seed=seed).diagnosis
    else:
        column, found = model.pooling.column, Diagnosis()
        for name in sorted(set(runs.column(column))):
            part = runs.select(runs.column(column) == name)
            one = audit(part, known={*known, column}, curves=curves, seed=seed).diagnosis
            found += one.labelled(f"group '{name}'")
    return {KEY: asdict(found)} if found != Diagnosis() else {}


def judge_audit(record: Mapping[str, Any]) -> Diagnosis:
    """The findings that a posterior's record keeps."""
    return Diagnosis(**{kind: tuple(told) for kind, told in record.get(KEY, {}).items()})
