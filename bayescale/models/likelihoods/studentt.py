"""Student-t noise: robust, and the default."""

from dataclasses import dataclass
from typing import final

from bayescale.distributions.prior import Prior
from bayescale.models.likelihood import NU, SIGMA, AbstractLikelihood, student_t
from bayescale.models.noise import Noise
from bayescale.models.observations import Observations
from theory.declaration.namespace import ArrayNamespace, Environment, Numeric


@final
@dataclass(frozen=True)
class StudentT(AbstractLikelihood):
    """``log loss ~ StudentT(nu, log L, sigma)`` with scale and degrees of freedom learned.

    A handful of gross outliers then costs a few units of log likelihood each instead of moving
    the fit. ``sigma`` is the scale of the log residual, i.e. about the relative error of a loss.
    """

    name = "studentt"

    def priors(self) -> dict[str, Prior]:
        """``sigma ~ LogNormal(ln 0.01, 1)``, ``nu ~ Gamma(2, 0.1)`` (Juarez and Steel 2010)."""
        return {"sigma": SIGMA, "nu": NU}

    def noise(
        self, log_loss: Numeric, parameters: Environment, rows: Observations, ops: ArrayNamespace
    ) -> Noise:
        """Student-t around the law's log loss."""
        return student_t(log_loss, parameters["sigma"], parameters)
