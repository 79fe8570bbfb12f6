"""The model of a part of a table, made so that nothing of the rest is known."""

from collections.abc import Callable
from typing import Any

import numpy as np

from bayescale.models.model import Model
from bayescale.models.stated_priors import is_default_reducible
from bayescale.runs.table import Runs

Recipe = Callable[[Runs], Model]
"""From a table to its model: ``(runs) -> Model``."""


def recipe_of(model: Model) -> Recipe:
    """How a model's like is made for a smaller table.

    Priors that are the defaults of its own table become those of the smaller one, so that nothing
    of the future is known; priors that the user set stay.
    """

    def make(runs: Runs) -> Model:
        fresh = Model.for_runs(
            model.law, runs, likelihood=model.likelihood, drift=model.drift, prior=model.stated
        )
        defaults = Model.at(
            model.law,
            pivot=model.priors.pivot,
            level=float(np.exp(_level(model))),
            likelihood=model.likelihood,
            prior=model.stated,
        )
        kept = {
            name: prior
            for name, prior in model.priors.table.items()
            if name in defaults.priors.table
            and not _same(prior, defaults.priors.table[name])
            and not is_default_reducible(name, prior)
        }
        return fresh.stating(kept)

    return make


def _level(model: Model) -> float:
    """Log of the loss to expect at the pivot, as the model's default priors know it."""
    if "L_pivot" not in model.priors.table:  # it follows from what is stated
        middle = model.law.logs(model.starting_point(), parameters_only=True)
        return float(model.law.log_loss(middle, model.priors.log_pivot, np))
    prior = model.priors.table["L_pivot"]
    return prior.arguments.get("mu", 1.0) if prior.family == "LogNormal" else 1.0


def _same(prior: Any, default: Any) -> bool:
    """Whether two priors agree to rounding."""
    if prior.family != default.family:
        return False
    pairs = zip(prior.arguments.values(), default.arguments.values(), strict=True)
    return all(abs(a - b) <= 1e-9 * max(1.0, abs(a)) for a, b in pairs)
