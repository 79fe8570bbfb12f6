"""Losses whose error of measurement is known."""

from dataclasses import dataclass
from typing import final

import numpy as np

from bayescale.distributions.prior import Prior
from bayescale.models.likelihood import NU, SIGMA, AbstractLikelihood, student_t
from bayescale.models.noise import Noise
from bayescale.models.observations import Observations
from bayescale.runs.numbers import positive_column
from bayescale.runs.table import Runs
from theory.declaration.namespace import ArrayNamespace, Environment, Numeric


@final
@dataclass(frozen=True)
class Measured(AbstractLikelihood):
    """Student-t with a known error of each measurement: ``sigma_i^2 = sigma^2 + (se_i/loss_i)^2``.

    Parameters
    ----------
    column
        Column of the table with standard errors of the loss, in the unit of the loss.
    """

    name = "measured"

    column: str = "loss_se"

    def priors(self) -> dict[str, Prior]:
        """Priors as for Student-t; ``sigma`` is what the known errors leave."""
        return {"sigma": SIGMA, "nu": NU}

    def columns(self, runs: Runs) -> dict[str, np.ndarray]:
        """Relative standard errors."""
        return {"error": positive_column(runs, self.column, zero=True) / runs.loss}

    def noise(
        self, log_loss: Numeric, parameters: Environment, rows: Observations, ops: ArrayNamespace
    ) -> Noise:
        """Student-t; a new run has no error of measurement."""
        known = rows.columns.get("error", 0.0)
        return student_t(log_loss, ops.sqrt(parameters["sigma"] ** 2 + known**2), parameters)
