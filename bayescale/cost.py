"""Cost models: training compute as a function of what a run spends."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from bayescale.errors import UsageError
from theory.errors import did_you_mean
from theory.symbols import D, N, Resource


@dataclass(frozen=True)
class AbstractCost(ABC):
    """Cost of a run in FLOP.

    Parameters
    ----------
    name
        Name by which it is chosen.
    source
        Where it comes from.
    """

    name: str
    source: str

    @property
    @abstractmethod
    def resources(self) -> tuple[Resource, ...]:
        """What it depends on."""

    @abstractmethod
    def log_cost(self, log_resources: Mapping[str, Any]) -> Any:
        """Log of the cost in FLOP, from the log of each resource."""


@final
@dataclass(frozen=True)
class ProductCost(AbstractCost):
    """``C = factor * prod_i R_i^orders[i]``.

    Parameters
    ----------
    factor
        FLOP at all resources equal to 1.
    orders
        Power of each resource.
    """

    factor: float
    orders: Mapping[Resource, float]

    @property
    def resources(self) -> tuple[Resource, ...]:
        """What it depends on."""
        return tuple(self.orders)

    @property
    def log_factor(self) -> float:
        """Log of `factor`."""
        return math.log(self.factor)

    def log_cost(self, log_resources: Mapping[str, Any]) -> Any:
        """Log of the cost in FLOP, from the log of each resource."""
        return self.log_factor + sum(m * log_resources[r.name] for r, m in self.orders.items())


COSTS: dict[str, ProductCost] = {
    cost.name: cost
    for cost in (
        ProductCost("6ND", "Kaplan et al. 2020, arXiv:2001.08361, section 2.1", 6.0, {N: 1, D: 1}),
    )
}
"""Every cost model, by name."""


def get(cost: str | ProductCost) -> ProductCost:
    """A cost model from its name.

    Raises
    ------
    UsageError
        If there is none of that name.
    """
    if isinstance(cost, ProductCost):
        return cost
    if cost not in COSTS:
        raise UsageError(f"no cost model called '{cost}'.{did_you_mean(cost, COSTS)}")
    return COSTS[cost]
