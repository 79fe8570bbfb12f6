"""From what a user says of serving, data, memory, chips and time to a budget line."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from bayescale import cost as costs
from bayescale.cost import AbstractCost, ExpertsCost, Hardware, Shape, ShapedCost
from bayescale.errors import UsageError
from bayescale.planning.budget_line import REPETITION, Line

BUDGETS = ("compute", "target", "allocation", "money")


def budget_of(asked: Mapping[str, Any], hours: float | None) -> str:
    """Which of the budgets was given; ``hours`` where only a time was.

    Raises
    ------
    UsageError
        If none or several were given.
    """
    given = [name for name in BUDGETS if asked[name] is not None]
    if not given and hours is not None:
        return "hours"
    if len(given) != 1:
        told = " and ".join(given) or "none"
        raise UsageError(
            f"a plan needs one of compute=, target=, allocation=, money=, or hours= with gpus=; "
            f"got {told}."
        )
    return given[0]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a user says of a plan; see `bayescale.plan`.

    Raises
    ------
    UsageError
        If a number is out of its range, or options do not go together.
    """

    cost: str | AbstractCost = "6ND"
    inference_tokens: float = 0.0
    unique_tokens: float | None = None
    repetition: float = REPETITION
    N_max: float | None = None
    D_max: float | None = None
    shapes: tuple[Shape, ...] = ()
    sizes: tuple[float, ...] = ()
    experts: Mapping[str, Any] | None = None
    at: Mapping[str, float] = field(default_factory=dict)
    chip: str | None = None
    mfu: float | None = None
    inference_mfu: float | None = None
    price: float | None = None
    gpus: float | None = None
    hours: float | None = None
    by_money: bool = False

    def __post_init__(self) -> None:
        for name in ("unique_tokens", "repetition", "N_max", "D_max"):
            amount = getattr(self, name)
            if amount is not None and not 0 < amount < math.inf:
                raise UsageError(f"{name} must be positive and finite; got {amount:g}.")
        if not 0 <= self.inference_tokens < math.inf:
            raise UsageError(
                f"inference_tokens must be finite and not negative; got {self.inference_tokens:g}."
            )
        for name, amount in self.at.items():
            if not 0 < amount < math.inf:
                raise UsageError(f"{name} of the law must be positive and finite; got {amount:g}.")
        if not all(0 < size < math.inf for size in self.sizes):
            raise UsageError(f"sizes are positive and finite; got {list(self.sizes)}.")

    @cached_property
    def hardware(self) -> Hardware | None:
        """Chips and their price; None where nothing was said of them."""
        given = {
            "chip": self.chip,
            "utilisation": self.mfu,
            "serving_utilisation": self.inference_mfu,
            "price": self.price,
            "gpus": self.gpus,
        }
        told = {name: value for name, value in given.items() if value is not None}
        if not told and self.hours is None and not self.by_money:
            return None
        found = Hardware(**told)
        if self.by_money:
            found.money(1.0)  # refuses where there is no price
        return found

    @cached_property
    def model(self) -> AbstractCost:
        """The cost model with its shapes or experts."""
        model = costs.get(self.cost)
        if self.shapes:
            if not isinstance(model, ShapedCost):
                known = [n for n, one in costs.COSTS.items() if isinstance(one, ShapedCost)]
                raise UsageError(
                    f"cost '{model.name}' does not depend on shapes; pass sizes= (--size) to allow "
                    f"certain N only, or one of the costs {', '.join(known)}."
                )
            model = model.on(self.shapes)
        if self.experts is not None:
            if not isinstance(model, ExpertsCost):
                raise UsageError(
                    f"experts go with cost 'moe', but the cost is '{model.name}'; pass cost='moe'."
                )
            if unknown := set(self.experts) - {"active", "total", "law_counts"}:
                raise UsageError(
                    f"experts take active, total and law_counts; got {', '.join(sorted(unknown))}."
                )
            options = {"active": None, "total": None, **self.experts}
            model = model.on(**options)
        return model

    @cached_property
    def line(self) -> Line:
        """Where a budget can be spent."""
        model, hardware = self.model, self.hardware
        sizes = tuple(sorted(set(self.sizes)))
        if isinstance(model, ShapedCost):
            if sizes:
                raise UsageError(
                    f"cost '{model.name}' allows the N of its shapes; leave sizes= (--size) out."
                )
            sizes = tuple(model.size(shape) for shape in model.shapes)
            model.log_sizes  # noqa: B018  # refuses where there are no shapes
        weight = hardware.serving_weight if hardware is not None and self.by_money else 1.0
        cap = math.inf
        if self.hours is not None:
            assert hardware is not None
            cap = hardware.compute_within(self.hours)
        return Line(
            cost=model,
            served=float(weight * self.inference_tokens / 3),
            size_cap=float(self.N_max or math.inf),
            data_cap=float(self.D_max or math.inf),
            compute_cap=float(cap),
            unique=float(self.unique_tokens or math.inf),
            repetition=self.repetition,
            fixed=dict(self.at),
            sizes=sizes,
        )

    def budget_from(self, money: float | None) -> float:
        """FLOP that money buys, or, without money, that the chips train in the hours given."""
        hardware = self.hardware
        assert hardware is not None
        if money is None:
            assert self.hours is not None
            return hardware.compute_within(self.hours)
        if not 0 < money < math.inf:
            raise UsageError(f"money must be positive and finite; got {money:g}.")
        return money / hardware.money(1.0)
