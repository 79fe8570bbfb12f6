"""What a plan minimises, and over what: reductions of the loss over posterior draws.

None of them gains much over another in model size, because the loss is flat in it; they differ in
what they say of the risk. A target is met at the least compute or the least money.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, final

from bayescale.errors import UsageError
from theory.errors import did_you_mean


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


@final
@dataclass(frozen=True)
class Quantile(AbstractLevelled):
    """The loss that is not exceeded with the given probability."""

    called: ClassVar[str] = "quantile"
    meaning: ClassVar[str] = "loss not exceeded with the given probability"

    def risk(self, losses: Any, best: Any, ops: Any) -> Any:
        """The quantile, linear between two draws."""
        return ops.quantile(losses, self.level, axis=0)


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


OBJECTIVES: dict[str, Callable[..., AbstractObjective]] = {
    "median": Median,
    "expected_loss": ExpectedLoss,
    "expected_regret": ExpectedRegret,
    "quantile": Quantile,
    "cvar": TailMean,
}
"""Every objective at a given budget, by name; the last two take a level, as in cvar(0.95)."""

FOR_A_TARGET = ("compute", "money")
"""What may be minimised where a target is given."""

_CALL = re.compile(r"\s*(\w+)\s*(?:\(\s*([^()]*?)\s*\))?\s*")


def get(objective: str | AbstractObjective) -> AbstractObjective:
    """An objective from its name.

    Raises
    ------
    UsageError
        If there is none of that name, or its level is not a probability.

    Examples
    --------
    >>> get("cvar(0.95)")
    TailMean(level=0.95)
    """
    if isinstance(objective, AbstractObjective):
        return objective
    if objective in FOR_A_TARGET:
        raise UsageError(
            f"objective '{objective}' is minimised to reach a target; pass target= (--target), or "
            f"at a given budget one of {', '.join(OBJECTIVES)}."
        )
    match = _CALL.fullmatch(objective)
    name, level = match.groups() if match else (objective, None)
    if name not in OBJECTIVES:
        raise UsageError(f"no objective called '{objective}'.{did_you_mean(name, OBJECTIVES)}")
    if level is None:
        return OBJECTIVES[name]()
    try:
        return OBJECTIVES[name](float(level))
    except (TypeError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(
            f"objective '{objective}' is not understood; a level is one number, as in "
            "quantile(0.9) or cvar(0.9), and the others take none."
        ) from None
