"""Draws with names: the ArviZ tree of a posterior, and the record of how it was made."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayescale.errors import UsageError
from bayescale.models.draws import Draws
from bayescale.models.model import Model
from bayescale.runs.table import Runs
from theory.declaration.abstract_law import AbstractLaw
from theory.errors import TheoryError


def to_tree(model: Model, runs: Runs, result: Draws) -> xr.DataTree:
    """Draws as an ArviZ `DataTree`: posterior, sample_stats, observed_data."""
    dims = ("chain", "draw")
    posterior: dict[str, Any] = {
        name: ((*dims, "group") if model.shapes[name] else dims, values)
        for name, values in result.coordinates.items()
    }
    scalars = {n: v for n, v in result.coordinates.items() if not model.shapes[n]}
    natural = model.law.values(model.parameters(scalars, np))
    posterior |= {n: (dims, values) for n, values in natural.items() if n not in posterior}
    chains, draws = next(iter(scalars.values())).shape
    coords: dict[str, Any] = {"chain": np.arange(chains), "draw": np.arange(draws)}
    stats = xr.Dataset({n: (dims, v) for n, v in result.sample_stats.items()}, coords)
    if model.pooling is not None:
        coords["group"] = list(model.pooling.groups)
    identity = runs.table["run"].astype(str).to_numpy()
    observed = {name: ("run", runs.column(name)) for name in _kept(model, runs)}
    return xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset(posterior, coords),
            "sample_stats": stats,
            "observed_data": xr.Dataset(observed, {"run": identity}),
        }
    )


def given_tree(law: AbstractLaw, draws: Mapping[str, Any] | pd.DataFrame) -> xr.DataTree:
    """Draws of a law's parameters that were made elsewhere, as one chain.

    Raises
    ------
    UsageError
        If a parameter is missing or out of its domain, or the shapes differ.
    """
    try:
        law.logs({str(name): draws[name] for name in draws}, parameters_only=True)
    except TheoryError as error:
        raise UsageError(str(error)) from error
    arrays = {p.name: np.atleast_1d(np.asarray(draws[p.name], float)) for p in law.parameters}
    if (
        len({array.shape for array in arrays.values()}) > 1
        or arrays[law.parameters[0].name].ndim > 1
    ):
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise UsageError(f"every parameter needs draws of one shape (draw,); got {shapes}.")
    posterior = {name: (("chain", "draw"), array[None, :]) for name, array in arrays.items()}
    return xr.DataTree.from_dict({"posterior": xr.Dataset(posterior)})


def _kept(model: Model, runs: Runs) -> list[str]:
    """Columns of the table without which the fit could not be repeated."""
    options = [v for value in model.likelihood.to_dict().values() for v in _texts(value)]
    if model.pooling is not None:
        options.append(model.pooling.column)
    named = [name for name in options if name in runs.table and name != "run"]
    resources = [r.name for r in model.law.resources] + [n for n in runs.resources]
    return list(dict.fromkeys([*resources, *named, "loss"]))


def _texts(value: Any) -> list[str]:
    if isinstance(value, tuple | list):
        return [str(v) for v in value]
    return [value] if isinstance(value, str) else []


def record_of(runs: Runs, *, engine: str, seed: int, draws: Draws) -> dict[str, Any]:
    """What to remember of a fit: table, engine, seed, versions and the engine's own numbers."""
    from importlib.metadata import version

    packages = ("bayescale", "numpy", "scipy", "arviz-stats", *draws.packages)
    return {
        "engine": engine,
        "seed": seed,
        "table": runs.name,
        "n_runs": len(runs),
        "data_hash": runs.data_hash,
        "notes": list(runs.notes),
        **({"provenance": list(runs.provenance)} if runs.provenance else {}),
        "versions": {name: version(name) for name in packages},
        **draws.facts,
    }
