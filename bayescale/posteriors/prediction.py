"""What a posterior says of the loss at given resources."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from bayescale.errors import UsageError
from theory.declaration.law import AbstractLaw

QUANTILES = {"q05": 0.05, "q50": 0.50, "q95": 0.95}

FAR = 1e3
"""Beyond this multiple of the largest run, in product of sizes, a prediction extrapolates far."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """Posterior of the loss at given resources.

    Parameters
    ----------
    points
        One row a point, one column a resource.
    draws
        Loss in nats per token, shape (draw, point).
    noise
        Whether the scatter of a new run is included.
    trusted
        False where the posterior was refused and forced.
    warnings
        Sentences: what to keep in mind, such as how far beyond the runs the points lie.
    """

    points: pd.DataFrame
    draws: Float[np.ndarray, "draw point"]
    noise: bool
    trusted: bool
    warnings: tuple[str, ...] = ()

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
        return {
            "points": points,
            "noise": self.noise,
            "trusted": self.trusted,
            "warnings": list(self.warnings),
        }


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


def distance(
    points: pd.DataFrame, sizes: Sequence[str], log_largest: float | None
) -> tuple[str, ...]:
    """A sentence where the farthest point is more than `FAR` times the largest run.

    Parameters
    ----------
    points
        One row a point.
    sizes
        Resources whose product is compared.
    log_largest
        Logarithm of that product for the largest run; None where no run is known.
    """
    if log_largest is None or not sizes:
        return ()
    logs = sum(np.log(points[name].to_numpy()) for name in sizes)
    far = float(np.max(logs)) - log_largest
    if not far > np.log(FAR):
        return ()
    what = " x ".join(sizes)
    return (
        f"the farthest point is {np.exp(far):.2g} times as large as the largest run (in {what}); "
        "the interval holds only if the law does that far, so check it on runs in between first.",
    )
