"""Mixtures of experts: compute follows the active parameters, memory all of them."""

import math
from dataclasses import dataclass, replace
from typing import Any, Literal, final

import numpy as np

from bayescale.cost.cost import AbstractTokenCost
from bayescale.errors import UsageError
from theory.declaration.namespace import Elementary, Numeric


@final
@dataclass(frozen=True)
class ExpertsCost(AbstractTokenCost):
    """``C = 6 N_active D`` for models of one ratio of active to total parameters.

    The router's own FLOP are left out: it is one matrix of width times experts a layer.

    Parameters
    ----------
    active, total
        Parameters that one token uses, and all parameters, of one model of the family; their
        ratio is what counts. Both or nothing.
    law_counts
        Which of the two N of the law is.
    """

    active: float | None = None
    total: float | None = None
    law_counts: Literal["active", "total"] = "active"

    def on(
        self,
        active: float | None,
        total: float | None,
        law_counts: Literal["active", "total"] = "active",
    ) -> "ExpertsCost":
        """Bind the cost to the family of one model.

        Raises
        ------
        UsageError
            If only one is given, or they are not ``0 < active <= total``.
        """
        bound = replace(self, active=active, total=total, law_counts=law_counts)
        bound.log_ratio  # noqa: B018  # refuses what cannot be
        return bound

    @property
    def log_ratio(self) -> float:
        """Log of active over total parameters."""
        if self.active is None or self.total is None:
            given = [n for n in ("active", "total") if getattr(self, n) is not None]
            raise UsageError(
                f"cost '{self.name}' needs the active and the total parameters of a model; got "
                f"{given[0] if given else 'neither'}{' only' if given else ''}: pass "
                "cost=bayescale.cost.get('moe').on(active=37e9, total=671e9) (--active 37e9 "
                "--total 671e9)."
            )
        if not 0 < self.active <= self.total < math.inf:
            raise UsageError(
                f"a mixture of experts has 0 < active <= total parameters; got active "
                f"{self.active:g} and total {self.total:g}."
            )
        return math.log(self.active / self.total)

    def log_token(self, log_size: Numeric, ops: Elementary = np) -> Any:
        """Log of the training FLOP a token, from the log of N."""
        ratio = self.log_ratio
        return math.log(6.0) + log_size + (ratio if self.law_counts == "total" else 0.0)

    def log_stored(self, log_size: Numeric) -> Any:
        """Log of all parameters, from the log of N."""
        return log_size - (self.log_ratio if self.law_counts == "active" else 0.0)
