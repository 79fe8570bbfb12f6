"""Conditional value at risk of the loss."""

from dataclasses import dataclass
from typing import Any, ClassVar, final

from bayescale.planning.objective import AbstractLevelled


@final
@dataclass(frozen=True)
class TailMean(AbstractLevelled):
    """Conditional value at risk: the mean loss of the worst share ``1 - level`` of draws."""

    called: ClassVar[str] = "cvar"
    meaning: ClassVar[str] = "mean loss of the worst draws (conditional value at risk)"

    def risk(self, losses: Any, best: Any, ops: Any) -> Any:
        """``q + E[max(L - q, 0)]/(1 - level)``, q the quantile: Rockafellar and Uryasev 2000."""
        threshold = ops.quantile(losses, self.level, axis=0)
        above = ops.maximum(losses - threshold[None], 0.0)
        return threshold + ops.mean(above, axis=0) / (1 - self.level)

    def weights(self, count: int) -> list[float]:
        """``1/(n (1 - level))`` for each draw above q, and the rest for q."""
        out, lower = self.at_level(count)
        worst = count - 1 - lower
        share = 1.0 / (count * (1.0 - self.level))
        quantile = [(1.0 - worst * share) * weight for weight in out]
        return quantile[: lower + 1] + [weight + share for weight in quantile[lower + 1 :]]
