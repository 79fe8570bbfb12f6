"""The expected loss."""

from dataclasses import dataclass
from typing import Any, ClassVar, final

from bayescale.planning.objective import AbstractObjective


@final
@dataclass(frozen=True)
class ExpectedLoss(AbstractObjective):
    """``E[L(N, D)]``."""

    meaning: ClassVar[str] = "mean loss over draws"

    @property
    def name(self) -> str:
        """``expected_loss``."""
        return "expected_loss"

    def risk(self, losses: Any, best: Any, ops: Any) -> Any:
        """``E[L]``."""
        return ops.mean(losses, axis=0)
