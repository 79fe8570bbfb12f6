"""Normal noise: one gross outlier moves the whole fit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from bayescale.distributions.prior import Prior
from bayescale.models.likelihood import SIGMA, AbstractLikelihood
from bayescale.models.noise import Noise
from bayescale.models.observations import Observations


@final
@dataclass(frozen=True)
class Normal(AbstractLikelihood):
    """``log loss ~ Normal(log L, sigma)``; one gross outlier moves the whole fit."""

    name = "normal"

    def priors(self) -> dict[str, Prior]:
        """``sigma ~ LogNormal(ln 0.01, 1)``."""
        return {"sigma": SIGMA}

    def noise(
        self, log_loss: Any, parameters: Mapping[str, Any], rows: Observations, ops: Any
    ) -> Noise:
        """Normal around the law's log loss."""
        return Noise("Normal", {"mu": log_loss, "sigma": parameters["sigma"]})
