"""What a cost model is: training compute as a function of what a run spends."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

from bayescale.errors import UsageError
from theory.declaration.namespace import Elementary, Environment, Numeric
from theory.declaration.symbols import D, N, Resource


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
    def log_cost(self, log_resources: Environment, ops: Elementary = np) -> Any:
        """Log of the cost in FLOP, from the log of each resource."""

    @abstractmethod
    def log_token(self, log_size: Numeric, ops: Elementary = np) -> Any:
        """Log of the training FLOP a token of a model, from the log of its size N.

        Raises
        ------
        UsageError
            If the cost is not a number of FLOP a token times D.
        """

    def log_stored(self, log_size: Numeric) -> Any:
        """Log of the parameters that memory must hold, from the log of N; N itself for most."""
        return log_size


@dataclass(frozen=True)
class AbstractTokenCost(AbstractCost):
    """``C = c(N) D``: every token costs the same, backward pass included.

    A forward pass alone costs a third of c, since the backward pass costs twice the forward one.
    """

    @property
    def resources(self) -> tuple[Resource, ...]:
        """N and D."""
        return (N, D)

    def log_cost(self, log_resources: Environment, ops: Elementary = np) -> Any:
        """Log of the cost in FLOP, from the log of each resource."""
        return self.log_token(log_resources[N.name], ops) + log_resources[D.name]


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
    orders: Mapping[Resource, float] = field(hash=False)

    @property
    def resources(self) -> tuple[Resource, ...]:
        """What it depends on."""
        return tuple(self.orders)

    @property
    def log_factor(self) -> float:
        """Log of `factor`."""
        return math.log(self.factor)

    def log_cost(self, log_resources: Environment, ops: Elementary = np) -> Any:
        """Log of the cost in FLOP, from the log of each resource."""
        return self.log_factor + sum(m * log_resources[r.name] for r, m in self.orders.items())

    def log_token(self, log_size: Numeric, ops: Elementary = np) -> Any:
        """Log of the training FLOP a token; only where D has order 1 and stands beside N alone."""
        if set(self.orders) != {N, D} or self.orders[D] != 1:
            told = " ".join(f"{r.name}^{m:g}" for r, m in self.orders.items())
            raise UsageError(
                f"cost '{self.name}', {self.factor:g} {told}, is not a number of FLOP a token "
                "times D, so it plans without constraints only; use a cost in N and D."
            )
        return self.log_factor + self.orders[N] * log_size
