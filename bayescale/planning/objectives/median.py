"""The posterior median of the optimal model size."""

from dataclasses import dataclass
from typing import Any, ClassVar, final

from bayescale.planning.objective import AbstractObjective


@final
@dataclass(frozen=True)
class Median(AbstractObjective):
    """The posterior median of the optimal N; its risk is the expected loss."""

    meaning: ClassVar[str] = "posterior median of the optimal N"
    search: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """``median``."""
        return "median"

    def risk(self, losses: Any, best: Any, ops: Any) -> Any:
        """``E[L]``."""
        return ops.mean(losses, axis=0)
