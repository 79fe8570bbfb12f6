"""The compute-optimal frontier: every draw's optimum at budgets, and the one choice for all."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from bayescale.planning.allocation import (
    Optimum,
    closed_form,
    losses_at,
    optimum,
    require_balance,
)
from bayescale.planning.budget_line import BudgetLine
from bayescale.planning.objectives import AbstractObjective
from bayescale.planning.search import best_size
from bayescale.posteriors.abstract import AbstractPosterior
from theory.declaration.symbols import N

QUANTILES = {"q10": 0.10, "q50": 0.50, "q90": 0.90}
"""By which what is planned is summarised."""


@dataclass(frozen=True, eq=False)
class Frontier:
    """What a posterior says of the best spending of each of some budgets.

    Parameters
    ----------
    source
        A posterior or a stack.
    line
        Where a budget can be spent.
    log_budgets
        Log of each budget in FLOP.

    Raises
    ------
    UsageError
        On use: if a limit leaves nothing, or for some draws there is no balanced optimum.
    """

    source: AbstractPosterior
    line: BudgetLine
    log_budgets: Float[np.ndarray, " budget"]

    def at(self, log_budgets: np.ndarray) -> "Frontier":
        """That at other budgets."""
        return Frontier(self.source, self.line, log_budgets)

    @cached_property
    def optima(self) -> Mapping[str, Optimum]:
        """The optimum of every draw of each law."""
        members = self.source.members.items()
        return {name: optimum(post, self.line, self.log_budgets) for name, post in members}

    def require_balance(self) -> None:
        """Refuse optima at one parameter or one token, where the budget line ends.

        Raises
        ------
        UsageError
            If there is one.
        """
        for name, post in self.source.members.items():
            if self.line.spends_size_and_data and closed_form(post.law, self.line) is None:
                require_balance(post, self.optima[name])

    @cached_property
    def logs(self) -> Mapping[str, Float[np.ndarray, "draw budget"]]:
        """Log of each resource at the optimum of each draw of the mixture."""
        names = next(iter(self.optima.values())).logs
        return {
            name: self.source.mix({law: one.logs[name] for law, one in self.optima.items()})
            for name in names
        }

    @cached_property
    def least(self) -> Float[np.ndarray, "draw budget"]:
        """Lowest loss of each draw by the law alone, in nats."""
        return np.exp(self.source.mix({name: one.log_loss for name, one in self.optima.items()}))

    @cached_property
    def log_drifted(self) -> Float[np.ndarray, "draw budget"]:
        """Its log with what the law may be wrong by beyond the runs."""
        return self.source.mix({name: one.log_drifted for name, one in self.optima.items()})

    def log_data(self, log_size: np.ndarray) -> np.ndarray:
        """Log of the tokens that each budget leaves to a size, (budget,) each."""
        return self.line.log_data(log_size, self.log_budgets)

    def losses(self, log_size: np.ndarray, *, drift: bool) -> Float[np.ndarray, "draw budget"]:
        """Log loss of one choice of size at each budget, draw by draw."""
        log_data = self.log_data(log_size)
        return losses_at(self.source, self.line, log_size, log_data, drift=drift)

    def risk(
        self, objective: AbstractObjective, log_size: np.ndarray, budget: int | None = None
    ) -> Float[np.ndarray, " point"]:
        """What an objective says of sizes, by the law alone.

        Parameters
        ----------
        objective
            Reduction over draws.
        log_size
            One size a budget, or any number of sizes at the one that `budget` names.
        budget
            Its index.
        """
        chosen = slice(None) if budget is None else [budget]
        log_data = self.line.log_data(log_size, self.log_budgets[chosen])
        losses = losses_at(self.source, self.line, log_size, log_data, drift=False)
        return np.asarray(objective.risk(np.exp(losses), self.least[:, chosen], np))

    def allowed(self, budget: int) -> np.ndarray:
        """Log of the sizes of a line with certain sizes only that a budget can train."""
        return self.line.allowed(float(self.log_budgets[budget]))

    def recommended(self, objective: AbstractObjective) -> Float[np.ndarray, " budget"]:
        """Log N of the one choice at each budget that an objective recommends."""
        if self.line.sizes:
            return np.array([self._pick(objective, j) for j in range(len(self.log_budgets))])
        sizes = self.logs[N.name]
        if not objective.search:
            return np.median(sizes, axis=0)
        # Beyond the optima of all draws the loss of every draw rises, so whatever is monotone in
        # the losses has its minimum between them.
        span = sizes.min(axis=0), sizes.max(axis=0)
        pieces = self.source.pieces()
        return best_size(pieces, self.line, objective, self.log_budgets, self.least, span)

    def _pick(self, objective: AbstractObjective, budget: int) -> float:
        sizes = self.allowed(budget)
        return float(sizes[np.argmin(self.risk(objective, sizes, budget))])
