"""`plan`: from a posterior and a compute budget to the compute-optimal run, with its risk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from bayescale import cost as costs
from bayescale._stack import Stack
from bayescale.cost import ProductCost
from bayescale.diagnose import MAX_RHAT, MIN_ESS, Diagnosis
from bayescale.errors import UsageError
from bayescale.posterior import Posterior
from theory.errors import TheoryError
from theory.logdomain import value
from theory.optimum import (
    closed_form_allocation,
    has_closed_form,
    solve_allocation,
    universal_exponents,
)
from theory.symbols import Resource

QUANTILES = {"q10": 0.10, "q50": 0.50, "q90": 0.90}

CARRIES = 0.001
"""A law of a stack with less weight is not asked for its diagnostics."""

FAR = 10.0
"""Beyond this multiple of the largest run's compute a plan says that it extrapolates."""


@dataclass(frozen=True, eq=False)
class Plan:
    """The compute-optimal allocation at each budget.

    Parameters
    ----------
    compute
        Budgets in FLOP.
    resources
        Resource -> optimal size, draw by draw.
    loss
        Loss at that optimum, in nats per token, draw by draw.
    recommended
        One row a budget: the median of the first resource, the others from the cost, and the
        posterior median of the loss there.
    diagnosis
        The posterior's verdict together with that on these quantities.
    cost
        Cost model.
    exponent_draws
        Universal exponents of the optimum (`theory.optimum`), draw by draw; none for a law
        without weights.
    convergence
        Summary of ``log R*`` and ``log L*`` at each budget with their R-hat and ESS.
    """

    compute: Float[np.ndarray, " budget"]
    resources: Mapping[str, Float[np.ndarray, "draw budget"]]
    loss: Float[np.ndarray, "draw budget"]
    recommended: pd.DataFrame
    diagnosis: Diagnosis
    cost: ProductCost
    exponent_draws: Mapping[str, np.ndarray]
    convergence: pd.DataFrame

    @property
    def trusted(self) -> bool:
        """False where the gate refused and was forced."""
        return not self.diagnosis.refusals

    def summary(self) -> pd.DataFrame:
        """The 10, 50 and 90% quantiles of each quantity, and what is recommended.

        Returns
        -------
        pandas.DataFrame
            Index: compute (FLOP), quantity (each resource, D/N, loss in nats per token).
        """
        blocks = [pd.DataFrame.from_dict(self._at(j), orient="index") for j in self._budgets]
        return pd.concat(blocks, keys=self.compute, names=["compute", "quantity"])

    def exponents(self) -> pd.DataFrame:
        """How the optimum moves with compute, ``R* ~ C^a``, whatever the form of the law.

        Returns
        -------
        pandas.DataFrame
            Index: resource, and ``kernel`` for the rate at which the reducible loss falls.
            Columns: the 10, 50 and 90% quantiles. Empty for a law without weights.
        """
        rows = {
            name: {key: float(np.quantile(values, level)) for key, level in QUANTILES.items()}
            for name, values in self.exponent_draws.items()
        }
        table = pd.DataFrame.from_dict(rows, orient="index", columns=list(QUANTILES))
        return table.rename_axis("resource")

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        plans = []
        for j in self._budgets:
            rows = self._at(j)
            names = (*self.resources, "loss")
            entry = {name: {key: rows[name][key] for key in QUANTILES} for name in names}
            recommended = {name: rows[name]["recommended"] for name in names}
            plans.append({"compute": float(self.compute[j]), **entry, "recommended": recommended})
        return {
            "plans": plans,
            "exponents": self.exponents().to_dict(orient="index"),
            "cost": self.cost.name,
            "diagnostics": self.diagnosis.to_dict(),
            "trusted": self.trusted,
        }

    @property
    def _budgets(self) -> range:
        return range(len(self.compute))

    def _at(self, budget: int) -> dict[str, dict[str, float]]:
        """Quantiles and recommendation of each quantity at one budget."""
        draws = {name: array[:, budget] for name, array in self.resources.items()}
        recommended = dict(self.recommended.iloc[budget])
        if set(draws) == {"N", "D"}:
            draws["D/N"] = draws["D"] / draws["N"]
            recommended["D/N"] = recommended["D"] / recommended["N"]
        draws["loss"] = self.loss[:, budget]
        return {
            name: {key: float(np.quantile(values, level)) for key, level in QUANTILES.items()}
            | {"recommended": float(recommended[name])}
            for name, values in draws.items()
        }


def plan(
    posterior: Posterior | Stack,
    compute: float | Sequence[float] | np.ndarray,
    *,
    cost: str | ProductCost = "6ND",
    force: bool = False,
) -> Plan:
    """Spend a compute budget: the optimal resources and the loss they reach, per draw.

    For each draw the loss is minimised at fixed cost ``C(N, D) = compute``: in closed form where
    the law has one (Hoffmann et al. 2022, eq. (4), and its like for power means), otherwise along
    the isocost line (`theory.optimum`).

    Parameters
    ----------
    posterior
        A fitted posterior, given draws, or a stack of posteriors: then the optimum of every law
        enters with the law's weight, and the plan is as unsure as the form.
    compute
        Budget in FLOP, or several.
    cost
        A cost model or its name.
    force
        Plan even where the gate refuses; the result is then marked as not trusted.

    Returns
    -------
    Plan

    Raises
    ------
    UsageError
        If a budget is not positive, or the cost model's resources are not the law's.
    DiagnosticsRefused
        If the gate refuses the posterior, or the convergence of ``log N*`` or ``log L*``.

    Examples
    --------
    >>> import bayescale as bs
    >>> published = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
    >>> post = bs.Posterior.from_draws("chinchilla", published)
    >>> float((bs.plan(post, compute=5.76e23).recommended["N"].iloc[0] / 1e9).round(1))
    72.2
    """
    posterior.diagnosis.require(force=force)
    if isinstance(posterior, Stack):
        return _mixed(posterior, compute, cost, force)
    model = costs.get(cost)
    law = posterior.law
    if set(model.resources) != set(law.resources):
        have = ", ".join(r.name for r in law.resources)
        need = ", ".join(r.name for r in model.resources)
        raise UsageError(
            f"cost '{model.name}' divides a budget between {need}, but law '{law.name}' depends on "
            f"{have}; plan with a law in {need}."
        )
    budgets = np.atleast_1d(np.asarray(compute, dtype=np.float64))
    if budgets.ndim != 1 or not np.all(np.isfinite(budgets) & (budgets > model.factor)):
        raise UsageError(
            f"compute must be finite and above {model.factor:g} FLOP, the cost of the smallest "
            f"run; got {compute}."
        )
    columns = {name: array[:, None] for name, array in posterior.log_parameters.items()}
    scaled = (np.log(budgets) - model.log_factor)[None, :]
    orders = {resource: model.orders[resource] for resource in law.resources}
    if has_closed_form(law, orders):
        logs = closed_form_allocation(law, columns, scaled, orders)
    else:
        try:
            logs = solve_allocation(law, columns, scaled, orders)
        except TheoryError as error:
            raise UsageError(str(error)) from error
    log_loss = law.log_loss(columns, logs, np) + posterior.log_drift(logs)
    diagnosis, convergence = _convergence(posterior, budgets, logs, log_loss)
    diagnosis = posterior.diagnosis + diagnosis + _distance(posterior, budgets, model)
    diagnosis.require(force=force)
    return Plan(
        compute=budgets,
        resources={name: np.exp(array) for name, array in logs.items()},
        loss=np.exp(log_loss),
        recommended=_recommend(posterior, budgets, logs, model),
        diagnosis=diagnosis,
        cost=model,
        exponent_draws=_exponents(posterior, orders),
        convergence=convergence,
    )


def _mixed(
    stack: Stack,
    compute: float | Sequence[float] | np.ndarray,
    cost: str | ProductCost,
    force: bool,
) -> Plan:
    """The plans of all laws, mixed draw by draw with their weights."""
    plans = {n: plan(post, compute, cost=cost, force=True) for n, post in stack.members.items()}
    carried = {name: one for name, one in plans.items() if stack.weights[name] > CARRIES}
    diagnosis = Diagnosis()
    for name, one in carried.items():
        diagnosis += Diagnosis(
            tuple(f"{name}: {reason}" for reason in one.diagnosis.refusals),
            tuple(f"{name}: {reason}" for reason in one.diagnosis.warnings),
        )
    diagnosis.require(force=force)
    first = next(iter(plans.values()))
    resources = {
        name: stack.choose({law: one.resources[name] for law, one in plans.items()})
        for name in first.resources
    }
    shared = set.intersection(*(set(one.exponent_draws) for one in plans.values()))
    chains = {law: one.convergence for law, one in plans.items()}
    return Plan(
        compute=first.compute,
        resources=resources,
        loss=stack.choose({law: one.loss for law, one in plans.items()}),
        recommended=_recommend_stack(stack, first.compute, resources, first.cost),
        diagnosis=diagnosis,
        cost=first.cost,
        exponent_draws={
            name: stack.choose({law: one.exponent_draws[name] for law, one in plans.items()})
            for name in first.exponent_draws
            if name in shared
        },
        convergence=pd.concat(chains, names=["law"]),
    )


def _recommend_stack(
    stack: Stack, budgets: np.ndarray, resources: Mapping[str, np.ndarray], cost: ProductCost
) -> pd.DataFrame:
    """As `_recommend`, with the loss there that the mixture of laws gives."""
    law = next(iter(stack.members.values())).law
    at = _on_budget(law.resources, {n: np.log(a) for n, a in resources.items()}, budgets, cost)
    losses = {name: _log_loss_at(post, at) for name, post in stack.members.items()}
    table = pd.DataFrame({name: np.exp(row) for name, row in at.items()})
    table["loss"] = np.exp(np.median(stack.choose(losses), axis=0))
    return table.set_axis(pd.Index(budgets, name="compute"))


def _exponents(
    posterior: Posterior, orders: Mapping[Resource, float]
) -> dict[str, Float[np.ndarray, " draw"]]:
    """``R* ~ C^a`` of each resource, and of the kernel, draw by draw."""
    if posterior.law.weights is None:
        return {}
    universal = universal_exponents(posterior.law, orders)
    named = {r.name: expr for r, expr in universal.resources.items()} | {"kernel": universal.kernel}
    shape = next(iter(posterior.log_parameters.values())).shape
    return {
        name: np.broadcast_to(value(expr, posterior.log_parameters, np), shape)
        for name, expr in named.items()
    }


def _recommend(
    posterior: Posterior, budgets: np.ndarray, logs: Mapping[str, np.ndarray], cost: ProductCost
) -> pd.DataFrame:
    """Median of every resource but the last, which the cost then sets, and the loss there."""
    at = _on_budget(posterior.law.resources, logs, budgets, cost)
    table = pd.DataFrame({name: np.exp(row) for name, row in at.items()})
    table["loss"] = np.exp(np.median(_log_loss_at(posterior, at), axis=0))
    return table.set_axis(pd.Index(budgets, name="compute"))


def _on_budget(
    resources: Sequence[Resource],
    logs: Mapping[str, np.ndarray],
    budgets: np.ndarray,
    cost: ProductCost,
) -> dict[str, np.ndarray]:
    """Log sizes at the medians of all resources but the last, which the cost then sets."""
    *first, last = resources
    at = {resource.name: np.median(logs[resource.name], axis=0) for resource in first}
    left = np.log(budgets) - cost.log_factor - sum(cost.orders[r] * at[r.name] for r in first)
    return at | {last.name: left / cost.orders[last]}


def _log_loss_at(posterior: Posterior, at: Mapping[str, np.ndarray]) -> np.ndarray:
    """Log loss, drift included, at log sizes (budget,); (draw, budget)."""
    columns = {name: array[:, None] for name, array in posterior.log_parameters.items()}
    rows = {name: row[None, :] for name, row in at.items()}
    return posterior.law.log_loss(columns, rows, np) + posterior.log_drift(rows)


def _convergence(
    posterior: Posterior,
    budgets: np.ndarray,
    logs: Mapping[str, np.ndarray],
    log_loss: np.ndarray,
) -> tuple[Diagnosis, pd.DataFrame]:
    """R-hat and ESS of the planned quantities themselves."""
    chains = posterior.draws.sizes["chain"]
    quantities = {
        f"log {name}* at {budget:g}": array[:, j].reshape(chains, -1)
        for j, budget in enumerate(budgets)
        for name, array in {**logs, "L": log_loss}.items()
    }
    table = posterior.describe(quantities)
    if broken := [name for name, values in quantities.items() if not np.all(np.isfinite(values))]:
        return Diagnosis((f"{', '.join(broken)} is not finite for some draws.",)), table
    bad = table[
        (table["r_hat"] > MAX_RHAT) | (table[["ess_bulk", "ess_tail"]].min(axis=1) < MIN_ESS)
    ]
    refusals = tuple(
        f"{name} did not converge (R-hat {row['r_hat']:.3f}, ESS {row['ess_bulk']:.0f})."
        for name, row in bad.iterrows()
    )
    # The importance-sampled posterior was judged as a whole.
    return Diagnosis() if "importance_ess" in posterior.record else Diagnosis(refusals), table


def _distance(posterior: Posterior, budgets: np.ndarray, cost: ProductCost) -> Diagnosis:
    """Say how far beyond the largest run the plan reaches."""
    runs = posterior.runs
    if runs is None:
        return Diagnosis()
    log_costs = cost.log_cost({r.name: np.log(runs[r.name].to_numpy()) for r in cost.resources})
    largest = float(np.exp(np.max(log_costs)))
    far = float(budgets.max() / largest)
    if far <= FAR:
        return Diagnosis()
    return Diagnosis(
        warnings=(
            f"{budgets.max():.3g} FLOP is {far:.3g} times the largest run ({largest:.3g}); the "
            "interval holds only if the law does, so plan a run in between first.",
        )
    )
