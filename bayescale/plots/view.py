"""A law and its runs as a plot of loss sees them: one resource held along a curve, one swept."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm

from bayescale.cost import AbstractCost
from bayescale.errors import UsageError
from bayescale.models.outliers import likely_outliers
from bayescale.plots import style
from bayescale.posteriors.posterior import Posterior
from theory.declaration.abstract_law import AbstractLaw
from theory.declaration.symbols import C

POINTS = 30
"""Points of a drawn curve."""


@dataclass(frozen=True)
class View:
    """A law and its runs as the plot sees them: one resource held (or none), the other swept.

    Parameters
    ----------
    posterior, runs, cost
        The law, its runs, and what training costs.
    among
        Sizes that the colours span; those of the runs by default.
    """

    posterior: Posterior
    runs: pd.DataFrame
    cost: AbstractCost
    among: np.ndarray | None = None

    @classmethod
    def of(cls, posterior: Posterior, cost: AbstractCost) -> "View":
        """That of a posterior of runs."""
        runs = posterior.runs
        if runs is None or posterior.model is None:
            raise UsageError(
                "these draws were made elsewhere and hold no runs; draw a fit of runs."
            )
        return cls(posterior, runs, cost)

    @cached_property
    def outlying(self) -> np.ndarray:
        """Whether each run is an outlier more likely than not, (run,)."""
        model, rows = self.posterior.fitted_model
        return likely_outliers(model, self.posterior.sites, rows)

    def __post_init__(self) -> None:
        law = self.law
        names = ", ".join(r.name for r in law.resources)
        if len(law.resources) > 2:
            raise UsageError(f"law '{law.name}' in {names} has no plot of loss against compute.")
        if self.sized and set(law.resources) != set(self.cost.resources):
            need = ", ".join(r.name for r in self.cost.resources)
            raise UsageError(
                f"cost '{self.cost.name}' is one of {need}, but law '{law.name}' depends on "
                f"{names}; pass a cost in these."
            )

    @property
    def law(self) -> AbstractLaw:
        """The law."""
        return self.posterior.law

    @property
    def sized(self) -> bool:
        """Whether a resource is held along a curve, and coloured."""
        return len(self.law.resources) == 2

    @property
    def size(self) -> np.ndarray:
        """The held resource of each run, shape (run,)."""
        return self.runs[self.law.resources[0].name].to_numpy()

    @property
    def x_label(self) -> str:
        """Label of the x axis."""
        return style.resource_label(C if self.sized else self.law.resources[0])

    @property
    def x_limits(self) -> tuple[float, float]:
        """Ends of the x axis."""
        return style.padded(self.x(self.runs))

    @property
    def x_ticks(self) -> tuple[Any, Any]:
        """How to write numbers on the x axis, and of which multiples of powers of ten."""
        if self.sized or self.law.resources[0] == C:
            return style.power_of_ten, style.DECADES
        return style.number, style.MULTIPLES

    def x(self, points: Any) -> np.ndarray:
        """Where points (a column a resource) stand on the x axis."""
        if not self.sized:
            return np.asarray(points[self.law.resources[0].name])
        logs = {r.name: np.log(np.asarray(points[r.name])) for r in self.cost.resources}
        return np.exp(self.cost.log_cost(logs))

    def colour(self, size: Any) -> Any:
        """Colour of a model size, or of the only curve."""
        if not self.sized:
            return style.BLUE
        return style.SEQUENCE(LogNorm(*self.size_limits, clip=True)(size))

    @property
    def size_limits(self) -> tuple[float, float]:
        """Ends of the colours."""
        sizes = self.size if self.among is None else self.among
        return float(sizes.min()), float(sizes.max())

    def run_colours(self, of: Any) -> Any:
        """Colours of some of the runs."""
        return self.colour(self.size[of]) if self.sized else style.INK

    def sizes(self, curves: int | Sequence[float] | np.ndarray) -> list[float]:
        """Sizes to draw curves at."""
        if not self.sized:
            return [float("nan")]
        if isinstance(curves, int):
            if curves < 1:
                raise UsageError(f"curves must be at least 1; got {curves}.")
            known = np.unique(self.size)
            wanted = np.geomspace(known[0], known[-1], curves)
            gaps = np.abs(np.log(wanted[:, None] / known[None, :]))
            return sorted({float(known[j]) for j in np.argmin(gaps, axis=1)})
        chosen = np.asarray(curves, dtype=np.float64)
        if chosen.ndim != 1 or not np.all(np.isfinite(chosen) & (chosen > 0)):
            raise UsageError(f"curves are positive model sizes; got {curves}.")
        return [float(size) for size in np.sort(chosen)]

    def sweep(self, size: float) -> dict[str, Any]:
        """Resources along the curve at a size."""
        *held, swept = self.law.resources
        span = self.runs[swept.name].to_numpy()
        along = np.geomspace(span.min(), span.max(), POINTS)
        return {swept.name: along} | {r.name: np.full(POINTS, size) for r in held}
