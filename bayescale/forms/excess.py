"""What one law says of the excess that each resource leaves, and of the regime of each run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayescale.errors import UsageError
from bayescale.forms.regimes import KINDS
from bayescale.models.thinning import at_most
from bayescale.posteriors.posterior import Posterior
from theory.declaration.abstract_law import AbstractLaw
from theory.declaration.logdomain import value

INFINITE = 1e4
"""E-folds at which a resource counts as infinite."""

STEP = 1e-4
"""Step of the central difference in the log of a resource; its error is about the square."""

HALF = 0.5 - 1e-6
"""Share below which another resource is the bottleneck; a tie, but for rounding, is not below."""

ALIKE, FIXED = 0.1, 1e-3
"""Distance of exponents that count as alike, and of those that a law holds equal by its form."""


@dataclass(frozen=True, eq=False)
class Excess:
    """What one law says; arrays as of `Regimes`."""

    law: AbstractLaw
    kinds: Mapping[str, np.ndarray]
    exponents: Mapping[str, np.ndarray]
    shares: Mapping[str, np.ndarray]
    floor: np.ndarray
    resolution: Mapping[str, np.ndarray]

    @classmethod
    def of(
        cls,
        post: Posterior,
        points: pd.DataFrame,
        sizes: tuple[str, ...],
        variance: Mapping[str, float],
        negligible: float,
        draws: int,
    ) -> "Excess":
        """From a posterior of the law; the arguments are those of `bayescale.regime`."""
        law, given = post.law, post.log_parameters
        total = len(next(iter(given.values())))
        kept = at_most(total, draws)
        columns = {name: array[kept, None] for name, array in given.items()}
        logs = {r.name: np.log(points[r.name].to_numpy(float))[None, :] for r in law.resources}
        shape = (len(kept), len(points))

        def log_kernel(**moved: Any) -> np.ndarray:
            return np.broadcast_to(law.log_kernel(columns, logs | moved, np), shape)

        here, log_loss = log_kernel(), np.broadcast_to(law.log_loss(columns, logs, np), shape)
        kinds, exponents, shares, resolution = {}, {}, {}, {}
        for resource in law.sizes:
            name, log_size = resource.name, logs[resource.name]
            far = {name: np.full_like(log_size, INFINITE)}
            removed = -np.expm1(log_kernel(**far) - here)
            least = np.broadcast_to(law.log_loss(columns, logs | far, np), shape)
            excess = -np.expm1(least - log_loss)
            rise = log_kernel(**{name: log_size + STEP}) - log_kernel(**{name: log_size - STEP})
            assert law.weights is not None
            alpha = np.broadcast_to(value(law.weights[resource], columns | logs, np), shape)
            _require_finite(law, name, removed, excess, rise)
            falls, open_ = -rise / (2 * STEP), excess > negligible
            local = np.where(open_, falls / np.where(open_, removed, 1), np.nan)
            shares[name] = falls / alpha
            nearer = np.abs(local - variance[name]) < np.abs(local - alpha)
            limited = np.where(nearer & (shares[name] < HALF), 1, 0)  # as in KINDS
            kinds[name] = np.where(open_, limited, KINDS.index("floor"))
            exponents[name], resolution[name] = local, np.array(alpha)
        floor = np.zeros(shape)
        if law.floor is not None:
            irreducible = law.values(columns)[law.floor.name]
            floor = np.broadcast_to(irreducible, shape) / np.exp(log_loss)
        return cls(law, kinds, exponents, shares, floor, resolution)

    def notes(self, variance: Mapping[str, float]) -> list[str]:
        """What this law cannot tell."""
        out = []
        for name, local in self.exponents.items():
            alpha = self.resolution[name]
            if abs(float(np.median(alpha)) - variance[name]) < ALIKE:
                out.append(
                    f"law '{self.law.name}': the resolution-limited exponent of {name} is "
                    f"{np.median(alpha):.3g}, too near to the variance-limited {variance[name]:g} "
                    "to tell the two regimes apart by exponent."
                )
                continue
            gap = np.abs(local - alpha)
            if np.isfinite(gap).any() and np.nanmax(gap) < FIXED:
                out.append(
                    f"law '{self.law.name}' gives the excess in {name} one exponent everywhere, so "
                    "it cannot show a variance-limited regime; fit a law with a crossover, such as "
                    "'kaplan', 'random_features' or 'share_free', to ask."
                )
        return out


def _require_finite(law: AbstractLaw, name: str, *arrays: np.ndarray) -> None:
    bad = sum(int((~np.isfinite(array)).any(axis=0).sum()) for array in arrays)
    if bad:
        raise UsageError(
            f"law '{law.name}' has no finite limit for infinite {name} at some of these runs, so "
            "its excess is not defined; choose another law."
        )
