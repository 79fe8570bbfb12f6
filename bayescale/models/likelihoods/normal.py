"""Normal noise: one gross outlier moves the whole fit."""

from dataclasses import dataclass
from typing import final

from bayescale.distributions.prior import Prior
from bayescale.models.likelihood import SIGMA, AbstractLikelihood
from bayescale.models.noise import Noise
from bayescale.models.observations import Observations
from theory.declaration.namespace import ArrayNamespace, Environment, Numeric


@final
@dataclass(frozen=True)
class Normal(AbstractLikelihood):
    """``log loss ~ Normal(log L, sigma)``; one gross outlier moves the whole fit."""

    name = "normal"

    def priors(self) -> dict[str, Prior]:
        """``sigma ~ LogNormal(ln 0.01, 1)``."""
        return {"sigma": SIGMA}

    def noise(
        self, log_loss: Numeric, parameters: Environment, rows: Observations, ops: ArrayNamespace
    ) -> Noise:
        """Normal around the law's log loss."""
        return Noise("Normal", {"mu": log_loss, "sigma": parameters["sigma"]})
