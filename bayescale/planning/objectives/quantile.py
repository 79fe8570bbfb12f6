"""A quantile of the loss."""

from dataclasses import dataclass
from typing import Any, ClassVar, final

from bayescale.planning.objective import AbstractLevelled


@final
@dataclass(frozen=True)
class Quantile(AbstractLevelled):
    """The loss that is not exceeded with the given probability."""

    called: ClassVar[str] = "quantile"
    meaning: ClassVar[str] = "loss not exceeded with the given probability"

    def risk(self, losses: Any, best: Any, ops: Any) -> Any:
        """The quantile, linear between two draws."""
        return ops.quantile(losses, self.level, axis=0)

    def weights(self, count: int) -> list[float]:
        """Those of the two draws that it lies between."""
        return self.at_level(count)[0]
