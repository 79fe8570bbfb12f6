"""What a noise model is: a distribution of log loss around the law, given as data."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from scipy import stats

from bayescale.observations import Observations
from bayescale.prior import Prior
from bayescale.runs import Runs

OUTLYING = 3.0
"""A run is an outlier when its realised error exceeds this many noise scales."""


@dataclass(frozen=True)
class Noise:
    """A distribution with array-valued arguments: a family of `FAMILIES` and its arguments."""

    family: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class AbstractLikelihood(ABC):
    """The distribution of the log loss of a run around the law's log loss.

    The fields of a subclass are its options, as plain data: they are saved with a posterior.
    """

    name: ClassVar[str]

    dependent: ClassVar[bool] = False
    """Whether the distribution of a row depends on the losses of earlier rows."""

    @abstractmethod
    def priors(self) -> dict[str, Prior]:
        """Default priors of the noise parameters, by name."""

    @abstractmethod
    def noise(
        self, log_loss: Any, parameters: Mapping[str, Any], rows: Observations, ops: Any
    ) -> Noise:
        """Distribution of observed log loss.

        Parameters
        ----------
        log_loss
            The law's log loss, shape (..., run).
        parameters
            Noise parameters by name; they broadcast with it.
        rows
            The runs. Where `rows.log_loss` is None they are new ones, of which nothing is known
            but their resources.
        ops
            Array namespace.
        """

    def scaled_to(self, pivot: Mapping[str, float]) -> "AbstractLikelihood":
        """The same noise model with what it takes from the scale of the runs filled in."""
        return self

    def columns(self, runs: Runs) -> dict[str, np.ndarray]:
        """What the noise model reads of a table beside resources and loss: arrays (run,).

        Raises
        ------
        RunsError
            If the table lacks it.
        """
        return {}

    def outlier_probability(self, noise: Noise, log_loss: np.ndarray) -> np.ndarray:
        """Probability that each run is an outlier, given the draw; arrays (draw, run).

        By default 1 where the realised error exceeds three noise scales and 0 elsewhere, so that
        the mean over draws is the posterior probability of Chaloner and Brant (1988).
        """
        error = np.abs(log_loss - noise.arguments["mu"])
        return (error > OUTLYING * noise.arguments["sigma"]).astype(np.float64)

    def expected_outliers(self, noise: Noise) -> float:
        """Fraction of runs expected beyond three scales if the model is right."""
        nu = noise.arguments.get("nu")
        tail = stats.norm.sf(OUTLYING) if nu is None else stats.t.sf(OUTLYING, nu)
        return float(2.0 * np.mean(tail))

    def to_dict(self) -> dict[str, Any]:
        """Name and options as plain data."""
        return {"name": self.name, **asdict(self)}
