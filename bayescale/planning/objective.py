"""What a plan minimises: a reduction of the loss over posterior draws to one risk."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from bayescale.errors import UsageError


@dataclass(frozen=True)
class AbstractObjective(ABC):
    """What the recommended allocation minimises at a given budget.

    `search` is False where the recommendation needs no search along the budget line.
    """

    meaning: ClassVar[str]
    search: ClassVar[bool] = True

    @property
    @abstractmethod
    def name(self) -> str:
        """By which it is chosen, its level included."""

    @abstractmethod
    def risk(self, losses: Any, best: Any, ops: Any) -> Any:
        """Reduce the first axis.

        Parameters
        ----------
        losses
            Loss in nats, (draw, ...).
        best
            The lowest loss of each draw at the same budget, (draw, ...).
        ops
            Array namespace.
        """

    def weights(self, count: int) -> list[float] | None:
        """Weight of each of `count` losses in ascending order.

        None where the risk is not such a sum, or where every draw has a weight, so that there is
        nothing to be gained from knowing which decide.
        """
        return None


@dataclass(frozen=True)
class AbstractLevelled(AbstractObjective):
    """An objective with a probability.

    Parameters
    ----------
    level
        Probability between 0 and 1, exclusive.

    Raises
    ------
    UsageError
        If it is not.
    """

    level: float = 0.9
    called: ClassVar[str]

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise UsageError(
                f"the level of {self.called} is a probability between 0 and 1; got {self.level:g}."
            )

    @property
    def name(self) -> str:
        """Its name with the level."""
        return f"{self.called}({self.level:g})"

    def at_level(self, count: int) -> tuple[list[float], int]:
        """Weights of the quantile, linear between two draws, and the rank of the lower one."""
        place = self.level * (count - 1)
        lower = int(place)
        out = [0.0] * count
        out[lower] = 1.0 - (place - lower)
        out[min(lower + 1, count - 1)] += place - lower
        return out, lower
