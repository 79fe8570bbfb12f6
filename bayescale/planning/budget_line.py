"""The budget line: what data a model of each size can be trained on, and what limits it.

A cost ``C = c(N) D`` with T tokens to be served later, each for a third of c, leaves

    D(N) = min(C/c(N) - w T/3,  D_max,  C_max/c(N)),    N <= N_max,

with w the chip time of a FLOP of serving over that of training, and C_max what the chips can train
in the time given. Data that repeat U unique tokens count as fewer (Muennighoff et al. 2023, eq. 5):
``D' = U + U R (1 - exp(-(D/U - 1)/R))``.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np
from jaxtyping import Float

from bayescale import cost as costs
from bayescale.cost import AbstractCost, ShapedCost
from bayescale.errors import UsageError
from bayescale.planning.limits import REPETITION, Limits
from theory.declaration.abstract_law import AbstractLaw
from theory.declaration.symbols import D, N
from theory.errors import did_you_mean

UNIQUE = "U"
"""Resource of the laws that know unique tokens themselves."""

HALVINGS = 100


@dataclass(frozen=True)
class BudgetLine:
    """Where a budget can be spent.

    Parameters
    ----------
    cost
        Training cost.
    served
        Tokens of training that cost as much as all serving, ``w T/3``.
    size_cap
        Most parameters that memory holds.
    data_cap
        Most tokens to train on, repeated ones included.
    compute_cap
        Most FLOP of training.
    unique
        Unique tokens.
    repetition
        R; see above.
    fixed
        Every other resource of the law, by name.
    sizes
        The only N allowed, ascending; any N where it is empty.
    """

    cost: AbstractCost
    served: float = 0.0
    size_cap: float = math.inf
    data_cap: float = math.inf
    compute_cap: float = math.inf
    unique: float = math.inf
    repetition: float = REPETITION
    fixed: Mapping[str, float] = field(default_factory=dict)
    sizes: tuple[float, ...] = ()

    @classmethod
    def of(
        cls,
        cost: str | AbstractCost,
        limits: Limits,
        *,
        inference_tokens: float = 0.0,
        serving_weight: float = 1.0,
        compute_cap: float = math.inf,
        fixed: Mapping[str, float] | None = None,
    ) -> "BudgetLine":
        """From what a user says of cost, limits and serving.

        Parameters
        ----------
        cost
            A cost model or its name.
        limits
            What may be trained.
        inference_tokens
            Tokens to be served.
        serving_weight
            w; see above.
        compute_cap
            Most FLOP of training.
        fixed
            Every other resource of the law, by name.

        Raises
        ------
        UsageError
            If a number is out of its range, or options do not go together.
        """
        if not 0 <= inference_tokens < math.inf:
            raise UsageError(
                f"inference_tokens must be finite and not negative; got {inference_tokens:g}."
            )
        for name, amount in (fixed or {}).items():
            if not (isinstance(amount, Real) and 0 < amount < math.inf):
                raise UsageError(
                    f"{name} of the law must be one positive and finite number; got {amount!r}."
                )
        model, sizes = costs.get(cost), limits.sizes
        if isinstance(model, ShapedCost):
            if sizes:
                raise UsageError(
                    f"cost '{model.name}' allows the N of its shapes; leave sizes (--size) out."
                )
            model.log_sizes  # noqa: B018  # refuses where there are no shapes
            sizes = tuple(model.size(shape) for shape in model.shapes)
        return cls(
            cost=model,
            served=float(serving_weight * inference_tokens / 3),
            size_cap=float(limits.N_max or math.inf),
            data_cap=float(limits.D_max or math.inf),
            compute_cap=float(compute_cap),
            unique=float(limits.unique_tokens or math.inf),
            repetition=limits.repetition,
            fixed=dict(fixed or {}),
            sizes=sizes,
        )

    @property
    def spends_size_and_data(self) -> bool:
        """Whether the cost is one of N and D; any other plans without constraints only."""
        return set(self.cost.resources) == {N, D}

    @property
    def plain(self) -> bool:
        """Whether nothing but the cost decides."""
        caps = (self.size_cap, self.data_cap, self.compute_cap, self.unique)
        return self.served == 0 and all(cap == math.inf for cap in caps) and not self.sizes

    @property
    def numbers(self) -> dict[str, float]:
        """What `log_data` and `log_resources` take, apart from the cost."""
        names = ("served", "data_cap", "compute_cap", "unique", "repetition")
        return {name: getattr(self, name) for name in names} | dict(self.fixed)

    @property
    def log_fixed(self) -> dict[str, np.ndarray]:
        """Log of every further resource that has a value."""
        return {name: np.log(np.float64(amount))[None] for name, amount in self.fixed.items()}

    def repeats(self, law: AbstractLaw) -> bool:
        """Whether repeated data must be discounted, because the law does not do it."""
        return self.unique < math.inf and UNIQUE not in {r.name for r in law.resources}

    def require(self, law: AbstractLaw) -> None:
        """Refuse a law whose resources are not all known.

        Raises
        ------
        UsageError
            If the cost's resources are not among the law's, or another one has no value.
        """
        have = {r.name for r in law.resources}
        need = [r.name for r in self.cost.resources]
        if not set(need) <= have:
            raise UsageError(
                f"cost '{self.cost.name}' divides a budget between {', '.join(need)}, but law "
                f"'{law.name}' depends on {', '.join(r.name for r in law.resources)}; plan with a "
                f"law in {', '.join(need)}."
            )
        known = {*need, *self.fixed} | ({UNIQUE} if self.unique < math.inf else set())
        if missing := [r for r in law.resources if r.name not in known]:
            told = ", ".join(f"{r.name} ({r.meaning})" for r in missing)
            how = f"at={{'{missing[0].name}': ...}}"
            if missing[0].name == UNIQUE:
                how = "limits=Limits(unique_tokens=...) (--unique-tokens)"
            raise UsageError(
                f"law '{law.name}' also depends on {told}, which cost '{self.cost.name}' does not "
                f"spend; pass {how}."
            )

    def require_further(self, laws: Sequence[AbstractLaw]) -> None:
        """Refuse a fixed resource that no law has, or that the budget is spent on.

        Raises
        ------
        UsageError
            If there is one; the message names those that may be fixed.
        """
        spent = {resource.name for resource in self.cost.resources} | {UNIQUE}
        named = dict.fromkeys(r.name for law in laws for r in law.resources)
        further = [name for name in named if name not in spent]
        for name in self.fixed:
            if name not in further:
                allowed = did_you_mean(name, further) if further else " The law has none."
                raise UsageError(
                    f"at= fixes a further resource of the law, beside those that cost "
                    f"'{self.cost.name}' spends; '{name}' is none.{allowed}"
                )

    def spend(self, size: float, data: float) -> float:
        """Budget that a model of N parameters and D tokens takes, serving included."""
        return float(np.exp(self.cost.log_token(np.log(size))) * (data + self.served))

    def log_data(self, log_size: Any, log_budget: Any, ops: Any = np) -> Any:
        """Log of D(N) at a budget; see `log_data`."""
        return log_data(self.cost, self.numbers, log_size, log_budget, ops)

    def log_resources(
        self, law: AbstractLaw, log_size: Any, log_data: Any, ops: Any = np
    ) -> dict[str, Any]:
        """Log of each resource of a law, repeated data discounted; see `log_resources`."""
        return log_resources(law, self.repeats(law), self.numbers, log_size, log_data, ops)

    def span(self, log_budget: Float[np.ndarray, "..."]) -> tuple[np.ndarray, np.ndarray]:
        """Log N from that at which only the data cap limits D to the largest that can be trained.

        Raises
        ------
        UsageError
            If at some budget not one parameter can be trained on one token.
        """
        ceiling = math.log(self.compute_cap)
        high = self._log_size(np.minimum(log_budget - math.log1p(self.served), ceiling))
        high = np.minimum(high, math.log(self.size_cap) - float(self.cost.log_stored(0.0)))
        if np.any(high < 0):
            raise UsageError(
                f"a budget of {np.exp(np.min(log_budget)):.3g} FLOP under these limits does not "
                "train one parameter on one token besides serving it; raise the budget, N_max or "
                "the hours, or lower inference_tokens."
            )
        low = np.zeros_like(high)
        if self.data_cap < math.inf:
            most = math.log(self.data_cap)
            taken = math.log(self.data_cap + self.served)
            low = self._log_size(np.minimum(log_budget - taken, ceiling - most))
            low = np.clip(low, 0.0, high)
        return low, high

    def allowed(self, log_budget: float) -> np.ndarray:
        """Log of the `sizes` that a budget can train, ascending.

        Raises
        ------
        UsageError
            If there is none.
        """
        logs = np.log(np.asarray(self.sizes))
        fits = self.cost.log_stored(logs) <= math.log(self.size_cap) + 1e-12
        dearest = min(log_budget - math.log1p(self.served), math.log(self.compute_cap))
        fits &= self.cost.log_token(logs) <= dearest
        if not fits.any():
            raise UsageError(
                f"no allowed model size can be trained for {math.exp(log_budget):.3g} FLOP with "
                f"N_max {self.size_cap:g}: the smallest is {min(self.sizes):g}; allow a smaller "
                "one, or raise the cap or the budget."
            )
        return logs[fits]

    def _log_size(self, log_token: np.ndarray) -> np.ndarray:
        """Log N whose tokens cost so much, by halving; below 0 where less than one parameter."""
        low, high = np.full_like(log_token, -1.0), np.maximum(log_token, 0.0) + 1.0
        for _ in range(HALVINGS):
            middle = 0.5 * (low + high)
            costly = self.cost.log_token(middle) > log_token
            low, high = np.where(costly, low, middle), np.where(costly, middle, high)
        return 0.5 * (low + high)


def log_data(
    cost: AbstractCost, numbers: Mapping[str, Any], log_size: Any, log_budget: Any, ops: Any = np
) -> Any:
    """Log of the tokens that a budget leaves to a model; NaN or minus infinity where none.

    Parameters
    ----------
    cost
        Training cost.
    numbers
        `BudgetLine.numbers`.
    log_size, log_budget
        Arrays that broadcast.
    ops
        Array namespace.
    """
    log_token = cost.log_token(log_size, ops)
    log_tokens = log_budget - log_token
    # log(t - s) = log t + log1p(-s/t), exact where nothing is served
    share = ops.minimum(numbers["served"] * ops.exp(-log_tokens), 1.0)
    left = log_tokens + ops.log1p(-share)
    capped = ops.minimum(left, ops.log(numbers["compute_cap"]) - log_token)
    return ops.minimum(capped, ops.log(numbers["data_cap"]))


def log_resources(
    law: AbstractLaw,
    repeats: bool,
    numbers: Mapping[str, Any],
    log_size: Any,
    log_data: Any,
    ops: Any = np,
) -> dict[str, Any]:
    """Log of each resource of a law at a model size and a number of tokens.

    Parameters
    ----------
    law
        What they are for.
    repeats
        Whether to count repeated tokens as fewer.
    numbers
        `BudgetLine.numbers`.
    log_size, log_data
        Arrays that broadcast.
    ops
        Array namespace.
    """
    values = {N.name: log_size, D.name: log_data}
    if repeats:
        rate, log_unique = numbers["repetition"], ops.log(numbers["unique"])
        over = ops.maximum(ops.expm1(log_data - log_unique), 0.0)
        fresh = ops.minimum(log_data, log_unique)
        values[D.name] = fresh + ops.log1p(-rate * ops.expm1(-over / rate))
    for resource in law.resources:
        if resource.name not in values:
            given = numbers["unique"] if resource.name == UNIQUE else numbers[resource.name]
            values[resource.name] = ops.log(given) + 0.0 * log_data
    return values
