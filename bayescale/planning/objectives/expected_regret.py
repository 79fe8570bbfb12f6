"""The expected regret."""

from dataclasses import dataclass
from typing import Any, ClassVar, final

from bayescale.planning.objective import AbstractObjective


@final
@dataclass(frozen=True)
class ExpectedRegret(AbstractObjective):
    """``E[L(N, D) - L*]``; L* does not depend on N, so it is minimal where the mean loss is."""

    meaning: ClassVar[str] = "mean loss above the optimum of each draw"

    @property
    def name(self) -> str:
        """``expected_regret``."""
        return "expected_regret"

    def risk(self, losses: Any, best: Any, ops: Any) -> Any:
        """``E[L - L*]``."""
        return ops.mean(losses - best, axis=0)
