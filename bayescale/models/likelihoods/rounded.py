"""Losses known to lie in an interval: rounded, or censored."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from bayescale.distributions.prior import Prior
from bayescale.errors import RunsError, UsageError
from bayescale.models.likelihood import OUTLYING, SIGMA, AbstractLikelihood
from bayescale.models.noise import Noise
from bayescale.models.observations import Observations
from bayescale.runs.numbers import number_column
from bayescale.runs.table import Runs
from theory.declaration.namespace import ArrayNamespace, Environment, Numeric

FAR = 100.0
"""Distance in log loss of an end that is open, in place of infinity: its gradient is finite."""


@final
@dataclass(frozen=True)
class Rounded(AbstractLikelihood):
    """The loss is known to lie in an interval: rounded, or censored.

    ``P(low < loss < high)`` under a Normal around the law's log loss.

    Parameters
    ----------
    step
        Losses were rounded to multiples of it, 0.01 by default, so the interval is half a step on
        either side.
    low, high
        Instead: columns with the ends of the interval, in the unit of the loss; 0 and inf are
        open ends.
    """

    name = "rounded"

    step: float = 0.01
    low: str | None = None
    high: str | None = None

    def __post_init__(self) -> None:
        if (self.low is None) != (self.high is None) or not self.step > 0:
            raise UsageError(
                "likelihood 'rounded' takes step=, a positive number to whose multiples the losses "
                "were rounded, or both low= and high=, columns with the ends of the interval; got "
                f"step={self.step}, low={self.low}, high={self.high}."
            )

    def priors(self) -> dict[str, Prior]:
        """``sigma ~ LogNormal(ln 0.01, 1)``."""
        return {"sigma": SIGMA}

    def columns(self, runs: Runs) -> dict[str, np.ndarray]:
        """Distances in log loss from the loss to both ends of its interval."""
        if self.low is None or self.high is None:
            low, high = runs.loss - self.step / 2, runs.loss + self.step / 2
        else:
            low, high = number_column(runs, self.low), number_column(runs, self.high)
        if np.any(wrong := ~((low >= 0) & (low <= runs.loss) & (runs.loss <= high) & (low < high))):
            row = int(np.flatnonzero(wrong)[0])
            raise RunsError(
                f"{runs.name}: the interval of row {row + 1} runs from {low[row]:.6g} to "
                f"{high[row]:.6g}; it must not be negative and must hold the loss, "
                f"{runs.loss[row]:.6g}."
            )
        with np.errstate(divide="ignore"):  # open ends
            below, above = np.log(runs.loss / low), np.log(high / runs.loss)
        return {"below": np.minimum(below, FAR), "above": np.minimum(above, FAR)}

    def noise(
        self, log_loss: Numeric, parameters: Environment, rows: Observations, ops: ArrayNamespace
    ) -> Noise:
        """Probability of the interval; plain Normal for a new run."""
        plain = {"mu": log_loss, "sigma": parameters["sigma"]}
        if rows.log_loss is None:
            return Noise("Normal", plain)
        ends = {"below": rows.columns["below"], "above": rows.columns["above"]}
        return Noise("Interval", plain | ends)

    def information(self, noise: Noise) -> Any:
        """Fisher information; the width of the interval adds ``width^2/12`` to the variance."""
        if not noise.is_probability:
            return super().information(noise)
        width = noise.arguments["below"] + noise.arguments["above"]
        return 1.0 / (noise.scale**2 + width**2 / 12.0)

    def outlier_probability(self, noise: Noise, log_loss: np.ndarray) -> np.ndarray:
        """Probability that the error exceeds three sigma, given the interval it lies in."""
        from bayescale.distributions.families import log_interval

        if not noise.is_probability:  # a new run, of which nothing is rounded
            return super().outlier_probability(noise, log_loss)
        mu, sigma = noise.location, noise.scale
        low = (log_loss - noise.arguments["below"] - mu) / sigma
        high = (log_loss + noise.arguments["above"] - mu) / sigma
        inner = np.clip(low, -OUTLYING, OUTLYING), np.clip(high, -OUTLYING, OUTLYING)
        with np.errstate(divide="ignore"):  # none of it within three sigma
            usual = log_interval(*inner, np) - log_interval(low, high, np)
        return np.clip(-np.expm1(usual), 0.0, 1.0)
