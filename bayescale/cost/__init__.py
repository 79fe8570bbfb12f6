"""Cost models: what a run costs in FLOP, in GPU hours and in money, and how long it takes.

`COSTS` is read from the folder `costs`, where a new cost model is one file; `Hardware` turns FLOP
into hours and money; `critical_batch` and its kin say what a batch costs.
"""

from bayescale.cost.batch import critical_batch, extra_compute, extra_steps, serial_hours
from bayescale.cost.cost import AbstractCost, AbstractTokenCost, ProductCost
from bayescale.cost.embedding import EmbeddingCost
from bayescale.cost.experts import ExpertsCost
from bayescale.cost.hardware import Chip, Hardware, chips
from bayescale.cost.shape import Shape, ladder
from bayescale.cost.shaped import ShapedCost
from bayescale.errors import UsageError
from bayescale.registry import Folder
from theory.errors import did_you_mean

__all__ = [
    "COSTS",
    "AbstractCost",
    "AbstractTokenCost",
    "Chip",
    "EmbeddingCost",
    "ExpertsCost",
    "Hardware",
    "ProductCost",
    "Shape",
    "ShapedCost",
    "chips",
    "critical_batch",
    "extra_compute",
    "extra_steps",
    "get",
    "ladder",
    "product",
    "serial_hours",
]

COSTS: Folder[AbstractCost] = Folder(f"{__name__}.costs", lambda module: module.COST)
"""Every cost model, by name."""


def get(cost: str | AbstractCost) -> AbstractCost:
    """A cost model from its name.

    Raises
    ------
    UsageError
        If there is none of that name.
    """
    if isinstance(cost, AbstractCost):
        return cost
    if cost not in COSTS:
        raise UsageError(f"no cost model called '{cost}'.{did_you_mean(cost, COSTS)}")
    return COSTS[cost]


def product(cost: str | ProductCost) -> ProductCost:
    """A cost that is a product of powers, from its name.

    Raises
    ------
    UsageError
        If there is none of that name, or it is no product of powers.
    """
    found = get(cost)
    if not isinstance(found, ProductCost):
        known = ", ".join(name for name, one in COSTS.items() if isinstance(one, ProductCost))
        raise UsageError(
            f"cost '{found.name}' is no product of powers of the resources, which is needed here; "
            f"use one of {known}."
        )
    return found
