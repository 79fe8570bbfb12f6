"""Runs drawn from a model: values from its priors, or given ones, and losses by its noise."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from bayescale.errors import UsageError
from bayescale.models.observations import Observations
from bayescale.runs.table import Runs, read_runs


@dataclass(frozen=True)
class Simulation:
    """Runs drawn from a model, and the values that made them."""

    runs: Runs
    coordinates: Mapping[str, Any]
    parameters: Mapping[str, float]
    seed: int


def simulate(
    model: Any,
    design: Runs | pd.DataFrame | Mapping[str, Any],
    *,
    seed: int,
    coordinates: Mapping[str, float] | None,
) -> Simulation:
    """Draw losses for a design from a `Model`, which offers this itself: see `Model.simulate`."""
    table = design.table if isinstance(design, Runs) else _frame(design)
    names = [resource.name for resource in model.law.resources]
    if missing := [name for name in names if name not in table]:
        raise UsageError(
            f"the design has no column {', '.join(missing)}; law '{model.law.name}' needs "
            f"{', '.join(names)} and the design has {', '.join(map(str, table.columns))}."
        )
    model = model.stating(coordinates or {})
    rng = np.random.default_rng(seed)
    drawn: dict[str, Any] = {
        name: float(prior.sample(rng)) if shape == () else prior.sample(rng, shape)
        for (name, prior), shape in zip(
            model.priors.table.items(), model.shapes.values(), strict=True
        )
    }
    # Losses of 1 stand in until they are drawn: `read_runs` checks the rest of the table.
    given = table.drop(columns="loss", errors="ignore").assign(loss=1.0)
    runs = read_runs(given, name=f"simulated from {model.law.name}", on_duplicates="keep")
    rows = model.observe(runs)
    log_loss = _draw(model, drawn, rows, rng)
    runs = replace(runs, table=runs.table.assign(loss=np.exp(log_loss)))
    scalars = {name: value for name, value in drawn.items() if model.shapes[name] == ()}
    natural = model.law.values(model.parameters(scalars, np))
    return Simulation(runs, drawn, {name: float(value) for name, value in natural.items()}, seed)


def _draw(
    model: Any, sites: Mapping[str, Any], rows: Observations, rng: np.random.Generator
) -> np.ndarray:
    """Log losses of rows: at once, or one after another where they depend on each other."""
    count = len(next(iter(rows.log_resources.values())))
    if not model.likelihood.dependent:
        return model.noise(sites, rows, np).sample(rng, (count,))
    log_loss = np.zeros(count)
    for row in rows.columns["order"]:
        noise = model.noise(sites, rows._replace(log_loss=log_loss), np)
        log_loss[row] = noise.broadcast((count,), row).sample(rng, ())
    return log_loss


def _frame(design: pd.DataFrame | Mapping[str, Any]) -> pd.DataFrame:
    return pd.DataFrame({str(name): np.atleast_1d(np.asarray(design[name])) for name in design})
