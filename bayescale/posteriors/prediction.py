"""What a posterior says of the loss at given resources."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from bayescale.diagnosis import Diagnosis, Result
from bayescale.errors import UsageError
from theory.declaration.abstract_law import AbstractLaw

QUANTILES = {"q05": 0.05, "q50": 0.50, "q95": 0.95}

FARTHEST = 700.0
"""Log losses beyond are held here: e^700 is about the largest number there is."""


@dataclass(frozen=True, eq=False, repr=False)
class Prediction(Result):
    """Posterior of the loss at given resources.

    Parameters
    ----------
    points
        One row a point, one column a resource.
    draws
        Loss in nats per token, shape (draw, point).
    noise
        Whether the scatter of a new run is included.
    diagnosis
        What the gate refuses of the posterior, and its verdict on how far the points lie beyond
        the runs.
    origin
        Table, number of runs and law of the posterior.
    """

    points: pd.DataFrame
    draws: Float[np.ndarray, "draw point"]
    noise: bool
    diagnosis: Diagnosis
    origin: str = ""

    def __repr__(self) -> str:
        count = len(self.points)
        noise = ", noise included" if self.noise else ""
        return (
            f"Prediction({count} point{'s' if count > 1 else ''}, {len(self.draws)} draws{noise}, "
            f"diagnostics {self.diagnosis.status})"
        )

    @property
    def figure(self) -> str:
        """The kind of figure that `plot` draws by default."""
        return "prediction"

    def summary(self) -> pd.DataFrame:
        """Resources, mean, sd and the 5, 50, 95% quantiles of the loss, one row a point."""
        table = self.points.copy()
        table["mean"], table["sd"] = self.draws.mean(axis=0), self.draws.std(axis=0, ddof=1)
        for name, level in QUANTILES.items():
            table[name] = np.quantile(self.draws, level, axis=0)
        return table

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        points = self.summary().to_dict(orient="records")
        return {"points": points, "noise": self.noise, **self.verdict()}


def points_of(law: AbstractLaw, resources: Mapping[str, Any]) -> pd.DataFrame:
    """Points from the resources of a law, numbers or arrays that broadcast; one row a point.

    Raises
    ------
    UsageError
        If a resource is missing, unknown or not positive, or the arrays do not broadcast.
    """
    names = [resource.name for resource in law.resources]
    if set(resources) != set(names):
        raise UsageError(
            f"law '{law.name}' predicts from {', '.join(names)}; "
            f"got {', '.join(resources) or 'none'}."
        )
    arrays = [np.atleast_1d(np.asarray(resources[name], dtype=np.float64)) for name in names]
    try:
        arrays = np.broadcast_arrays(*arrays)
    except ValueError as error:
        shapes = ", ".join(f"{n} {a.shape}" for n, a in zip(names, arrays, strict=True))
        raise UsageError(f"the points do not broadcast together: {shapes}.") from error
    for name, array in zip(names, arrays, strict=True):
        if array.ndim != 1 or not np.all(np.isfinite(array) & (array > 0)):
            raise UsageError(f"{name} must be positive and finite, one or (point,); got {array}.")
    return pd.DataFrame(dict(zip(names, arrays, strict=True)))
