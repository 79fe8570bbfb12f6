"""Whether what a saved file holds can be what a fit wrote: looked at before it is believed.

A checksum tells of damage, but a file that another program wrote anew has none.
"""

from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

import numpy as np
import xarray as xr

from bayescale.models.model import Model

DIMS = ("chain", "draw")
"""Dimensions of draws."""


LARGEST = 1e100
"""No parameter, resource or loss is larger: what is computed from them stays finite."""


def check_record(record: Mapping[str, Any]) -> None:
    """Refuse a record whose entries are not of the kind that a fit writes.

    Raises
    ------
    ValueError
        With the entry and what it has to be.
    """
    if "engine" not in record:
        raise ValueError("its record names no engine")
    for name, value in record.items():
        if name in _ENTRIES:
            kind, fits = _ENTRIES[name]
            if not fits(value):
                raise ValueError(f"'{name}' of its record is not {kind}")


def check_draws(data: xr.DataTree, model: Model) -> None:
    """Refuse draws that are missing, not finite, or out of a parameter's domain.

    Raises
    ------
    ValueError
        With the name of what is wrong.
    """
    draws = _group(data, "posterior")
    _group(data, "sample_stats")
    wanted = tuple(draws.sizes.get(name, 0) for name in DIMS)
    if not all(wanted):
        raise ValueError(f"its draws have no dimensions {' and '.join(DIMS)}")
    for parameter in model.law.parameters:
        values = _numbers(draws, parameter.name)
        if values.shape[:2] != wanted:
            raise ValueError(f"draws of '{parameter.name}' are not (chain, draw)")
        if parameter.domain.is_positive and not (values > 0.0).all():
            raise ValueError(f"draws of '{parameter.name}' are not all positive")
    for name in model.priors.table:
        _numbers(draws, name)


def check_runs(data: xr.DataTree, model: Model, record: Mapping[str, Any]) -> None:
    """Refuse runs that are missing, not positive numbers, or fewer than the record says.

    Raises
    ------
    ValueError
        With the column that is wrong.
    """
    if "observed_data" not in data.children:
        return
    runs = _group(data, "observed_data")
    count = record.get("n_runs")
    for name in (*(one.name for one in model.law.resources), "loss"):
        values = _numbers(runs, name)
        if values.ndim != 1 or not len(values) or (count is not None and len(values) != count):
            raise ValueError(f"the runs' '{name}' is not one number a run")
        if not (values > 0.0).all():
            raise ValueError(f"the runs' '{name}' is not all positive")


def _group(data: xr.DataTree, name: str) -> xr.Dataset:
    if name not in data.children:
        raise ValueError(f"it has no group '{name}'")
    return data[name].to_dataset()


def _numbers(group: xr.Dataset, name: str) -> np.ndarray:
    if name not in group:
        raise ValueError(f"'{name}' is missing")
    values = group[name].to_numpy()
    if values.dtype.kind not in "fiu":
        raise ValueError(f"'{name}' is not numbers")
    if not (np.abs(values) < LARGEST).all():
        raise ValueError(f"'{name}' is not finite everywhere, or above {LARGEST:g}")
    return values


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and abs(float(value)) < LARGEST


def _are_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(map(_is_text, value))


def _are_cuts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(
        isinstance(cut, Mapping) and {"slope", "error"} <= cut.keys()
        and all(map(_is_number, cut.values()))
        for cut in value
    )  # fmt: skip


_ENTRIES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(("engine", "table", "data_hash", "group"), ("a text", _is_text)),
    **dict.fromkeys(("seed", "n_runs"), ("a count", _is_count)),
    **dict.fromkeys(("notes", "provenance"), ("a list of texts", _are_texts)),
    "importance_ess": ("a positive number", lambda one: _is_number(one) and one > 0),
    "own_cuts": ("a list of cuts", _are_cuts),
    "audit": (
        "findings by kind",
        lambda one: isinstance(one, Mapping) and all(map(_are_texts, one.values())),
    ),
    "versions": (
        "versions by name",
        lambda one: isinstance(one, Mapping) and all(map(_is_text, one.values())),
    ),
}
