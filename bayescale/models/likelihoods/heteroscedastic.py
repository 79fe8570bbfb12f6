"""Noise whose scale is a power of a resource."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, final

from bayescale.distributions.prior import Prior
from bayescale.errors import UsageError
from bayescale.models.likelihood import NU, SIGMA, AbstractLikelihood, student_t
from bayescale.models.noise import Noise
from bayescale.models.observations import Observations
from theory.declaration.namespace import ArrayNamespace, Environment, Numeric


@final
@dataclass(frozen=True)
class Heteroscedastic(AbstractLikelihood):
    """Student-t whose scale is a power of a resource: ``sigma_i = sigma (R_i/R_0)^trend``.

    Parameters
    ----------
    over
        The resource: one of the law's, or ``"C"`` for the product of all its sizes.
    at
        ``R_0``, where `sigma` is meant; the geometric mean of the table by default.
    """

    name = "heteroscedastic"

    over: str = "C"
    at: float | None = None

    def __post_init__(self) -> None:
        if self.at is not None and not 0 < self.at < math.inf:
            raise UsageError(
                "likelihood 'heteroscedastic' takes at=, the positive size where sigma is meant; "
                f"got {self.at}."
            )

    def priors(self) -> dict[str, Prior]:
        """``sigma``, ``nu`` as for Student-t; ``trend ~ Normal(0, 0.25)``: per e-fold of R."""
        return {"sigma": SIGMA, "nu": NU, "trend": Prior("Normal", mu=0, sigma=0.25)}

    def scaled_to(self, pivot: Mapping[str, float]) -> AbstractLikelihood:
        """Take ``R_0`` from the pivot of the law where it was not given."""
        if self.at is not None:
            return self
        logs = {name: math.log(size) for name, size in pivot.items()}
        return replace(self, at=math.exp(self._log_size(logs)))

    def _log_size(self, log_resources: Mapping[str, Any]) -> Any:
        if self.over in log_resources:
            return log_resources[self.over]
        if self.over == "C" and {"N", "D"} <= set(log_resources):
            return math.log(6.0) + log_resources["N"] + log_resources["D"]
        raise UsageError(
            f"the noise is to vary over '{self.over}', but the law depends on "
            f"{', '.join(log_resources)}; name one of these, as in "
            f"'heteroscedastic(over={next(iter(log_resources))})'."
        )

    def noise(
        self, log_loss: Numeric, parameters: Environment, rows: Observations, ops: ArrayNamespace
    ) -> Noise:
        """Student-t with a scale of its own for each run."""
        if self.at is None:
            raise UsageError("heteroscedastic noise without a pivot needs at=, the size R_0.")
        relative = self._log_size(rows.log_resources) - math.log(self.at)
        sigma = parameters["sigma"] * ops.exp(parameters["trend"] * relative)
        return student_t(log_loss, sigma, parameters)
