"""`plan`: from a posterior and a budget, a target or an allocation to a plan with its risk."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from jaxtyping import Float

from bayescale.cost import AbstractCost, Hardware
from bayescale.diagnosis import Diagnosis
from bayescale.errors import UsageError
from bayescale.planning import objectives
from bayescale.planning.budget_line import BudgetLine
from bayescale.planning.compute_multiplier import exponents
from bayescale.planning.doubts import judge_convergence, judge_limits
from bayescale.planning.frontier import Frontier
from bayescale.planning.limits import Limits
from bayescale.planning.objectives import AbstractObjective
from bayescale.planning.objectives.quantile import Quantile
from bayescale.planning.present_plan import compare_with, sizes_of
from bayescale.planning.result import Plan
from bayescale.planning.targets import budgets_for
from bayescale.posteriors.abstract import AbstractPosterior

__all__ = ["Plan", "plan"]

BUDGETS = ("compute", "target", "allocation", "money", "hours")


def plan(
    posterior: AbstractPosterior,
    compute: float | Sequence[float] | np.ndarray | None = None,
    *,
    target: float | Sequence[float] | np.ndarray | None = None,
    confidence: float = 0.9,
    allocation: Mapping[str, float] | None = None,
    money: float | None = None,
    hours: float | None = None,
    present: Mapping[str, float] | None = None,
    cost: str | AbstractCost = "6ND",
    objective: str | AbstractObjective | None = None,
    inference_tokens: float = 0.0,
    limits: Limits | None = None,
    hardware: Hardware | None = None,
    batch: float | None = None,
    at: Mapping[str, float] | None = None,
    drift: bool = True,
    force: bool = False,
) -> Plan:
    """Spend a budget, find the budget for a target, or judge an allocation.

    For each draw the loss is minimised at fixed cost: in closed form where the law has one
    (Hoffmann et al. 2022, eq. (4), and its like for power means), otherwise along the budget line.
    One choice for all draws is then recommended by an objective. Model size matters little near
    the optimum (`Plan.valley`), and no objective gains much there over another; what the posterior
    adds is the risk: of a loss, of a budget that misses its target, of the wrong law.

    Parameters
    ----------
    posterior
        A fitted posterior, given draws, or a stack of posteriors: then the optimum of every law
        enters with the law's weight, and the plan is as unsure as the form.
    compute
        Budget in FLOP, or several; serving is part of it where `inference_tokens` are given.
    target, confidence
        Loss to reach, or several, and the probability with which: the plan is then at the least
        budget that does (`bayescale.planning.targets`). For a target that no budget reaches so
        surely it is at the budget that is surest to, and a sentence says how sure that is.
    allocation
        N and D to be judged: the plan is at its compute, and `Plan.present` holds its loss,
        regret and waste.
    money
        Budget in money, which needs hardware with a price.
    hours
        Wall-clock hours of training, which need hardware with a number of chips: a limit, or the
        budget where no other is given.
    present
        N (and D) of a plan to compare with at the budgets.
    cost
        A cost model or its name. One that depends on shapes, or on the experts of a mixture, is
        bound to them first: ``bayescale.cost.get("moe").on(active=37e9, total=671e9)``.
    objective
        At a budget one of `bayescale.objectives`, by default ``"median"`` (of the optimal N); some
        take a level, as in ``"cvar(0.9)"``. For a target: ``"compute"`` (the default) or
        ``"money"``, in which serving weighs by its own utilisation.
    inference_tokens
        Tokens to be served over the model's life, each at a third of a training token's cost
        (Sardana et al. 2024).
    limits
        What may be trained: ``Limits(N_max=7e9, unique_tokens=1e12)``.
    hardware
        Chips, their utilisation, price and number: ``Hardware(chip="h100", gpus=512)``.
    batch
        Tokens a batch, to be compared with the critical batch in `Plan.bill`.
    at
        Any other resource of the law, by name.
    drift
        Include what the law may be wrong by beyond the runs (`bayescale.models.drift`): in the
        loss, in the best ratio of sizes, and in the budget of a target. Without it the plan is that
        of the law alone.
    force
        Plan even where the gate refuses; the result is then marked as not trusted.

    Returns
    -------
    Plan

    Raises
    ------
    UsageError
        If not exactly one budget, target or allocation is given, a number is out of its range,
        the limits leave nothing, or the cost model's resources are not the law's.
    DiagnosticsRefused
        If the gate refuses the posterior, the convergence of ``log N*`` or ``log L*``, or the
        distance of the plan beyond the runs (`bayescale.posteriors.distance`).

    Examples
    --------
    >>> import bayescale as bs
    >>> published = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
    >>> post = bs.Posterior.from_draws("chinchilla", published)
    >>> float((bs.plan(post, compute=5.76e23).recommended["N"].iloc[0] / 1e9).round(1))
    72.2
    >>> float((bs.plan(post, target=2.0).compute[0] / 1e23).round(2))
    2.47
    """
    posterior.diagnosis.require(force=force)
    if not drift:
        posterior = posterior.exact
    for name, given, kind in (("limits", limits, Limits), ("hardware", hardware, Hardware)):
        if given is not None and not isinstance(given, kind):
            raise UsageError(
                f"{name}= takes a bayescale.{kind.__name__}(...), such as bayescale.Limits(N_max="
                f"7e9) or bayescale.Hardware(gpus=512); got {given!r}."
            )
    what = _budget_of(
        compute=compute, target=target, allocation=allocation, money=money, hours=hours
    )
    by_money = what == "money" or objective == "money"
    chips = hardware or Hardware()
    rate = chips.money(1.0) if by_money else math.nan  # refuses where there is no price
    cap = math.inf if hours is None else chips.compute_within(hours)
    line = BudgetLine.of(
        cost,
        limits or Limits(),
        inference_tokens=inference_tokens,
        serving_weight=chips.serving_weight if by_money else 1.0,
        compute_cap=cap,
        fixed=at,
    )
    laws = [post.law for post in posterior.members.values()]
    for law in laws:
        line.require(law)
    line.require_further(laws)
    shown = chips if by_money or hours is not None else hardware

    def planned(
        budgets: np.ndarray, objective: AbstractObjective, present: Mapping[str, float] | None
    ) -> Plan:
        frontier = Frontier(posterior, line, np.log(budgets))
        found = _plan(frontier, budgets, objective, present, force)
        told = {"hardware": shown, "inference_tokens": float(inference_tokens), "batch": batch}
        return replace(found, **told)

    if target is not None:
        _require_target(line, objective)
        targets = budgets_for(posterior, line, target, confidence)
        found = planned(targets.best[targets.reached > 0], Quantile(confidence), present)
        doubts = Diagnosis(warnings=targets.reasons())
        return replace(found, targets=targets, diagnosis=found.diagnosis + doubts)
    chosen = objectives.get("median" if objective is None else objective)
    if allocation is not None:
        size, data = sizes_of(allocation)
        if data is None or present is not None:
            raise UsageError(
                "allocation takes both N and D, and is itself the present plan; to compare a "
                "present plan with the best of a budget, pass compute= and present=."
            )
        return planned(np.array([line.spend(size, data)]), chosen, allocation)
    if compute is not None:
        return planned(_budgets(compute, line), chosen, present)
    if money is None:
        return planned(np.array([cap]), chosen, present)
    if not 0 < money < math.inf:
        raise UsageError(f"money must be positive and finite; got {money:g}.")
    return planned(np.array([money / rate]), chosen, present)


def _budget_of(**asked: object) -> str:
    """Which of the budgets was given; hours are a limit beside another."""
    given = [name for name in BUDGETS if asked[name] is not None]
    if len(given) > 1 and "hours" in given:
        given.remove("hours")
    if len(given) != 1:
        told = " and ".join(given) or "none"
        raise UsageError(
            f"a plan needs one of compute=, target=, allocation=, money=, or hours=; got {told}."
        )
    return given[0]


def _budgets(compute: object, line: BudgetLine) -> Float[np.ndarray, " budget"]:
    budgets = np.atleast_1d(np.asarray(compute, dtype=np.float64))
    least = float(np.exp(line.cost.log_cost({r.name: 0.0 for r in line.cost.resources})))
    if budgets.ndim != 1 or not np.all(np.isfinite(budgets) & (budgets > least)):
        raise UsageError(
            f"compute must be finite and above {least:.4g} FLOP, the cost of the smallest run; "
            f"got {compute}."
        )
    return budgets


def _require_target(line: BudgetLine, objective: str | AbstractObjective | None) -> None:
    if not line.spends_size_and_data:
        raise UsageError(
            f"targets are planned for costs in N and D; cost '{line.cost.name}' is one in "
            f"{', '.join(r.name for r in line.cost.resources)}."
        )
    if objective is not None and objective not in objectives.FOR_A_TARGET:
        raise UsageError(
            f"to reach a target either {' or '.join(objectives.FOR_A_TARGET)} is minimised; got "
            f"objective {objective!r}, which is one at a given budget: leave it out."
        )


def _plan(
    frontier: Frontier,
    budgets: Float[np.ndarray, " budget"],
    objective: AbstractObjective,
    present: Mapping[str, float] | None,
    force: bool,
) -> Plan:
    source = frontier.source
    frontier.require_balance()
    table = _recommend(frontier, objective).set_axis(pd.Index(budgets, name="compute"))
    diagnosis, convergence = judge_convergence(frontier)
    far = source.distance(table)
    diagnosis += source.judge_distance(table) + judge_limits(frontier, table)
    diagnosis.require(force=force)
    compared = None
    if present is not None and len(table):
        compared = compare_with(frontier, present, np.log(table["N"].to_numpy()))
    return Plan(
        compute=budgets,
        resources={name: np.exp(draws) for name, draws in frontier.logs.items()},
        loss=np.exp(frontier.log_drifted),
        recommended=table,
        diagnosis=diagnosis,
        exponent_draws=_exponents(frontier),
        convergence=convergence,
        frontier=frontier,
        objective=objective,
        far=far,
        present=compared,
    )


def _exponents(frontier: Frontier) -> dict[str, np.ndarray]:
    """Those that every law has, draw by draw."""
    members = frontier.source.members
    shown = {name: exponents(post, frontier.line) for name, post in members.items()}
    shared = [n for n in next(iter(shown.values())) if all(n in one for one in shown.values())]
    return {n: frontier.source.mix({law: one[n] for law, one in shown.items()}) for n in shared}


def _recommend(frontier: Frontier, objective: AbstractObjective) -> pd.DataFrame:
    """The one choice at each budget, and the median of the loss there."""
    if frontier.line.spends_size_and_data:
        log_size = frontier.recommended(objective)
        at = {"N": log_size, "D": frontier.log_data(log_size)}
        log_loss = frontier.losses(log_size, drift=True)
    else:
        at = _on_budget(frontier)
        rows = {name: row[None] for name, row in at.items()} | frontier.line.log_fixed
        parts = {}
        for name, post in frontier.source.members.items():
            parts[name] = post.log_law(rows) + post.log_drift(rows)
        log_loss = frontier.source.mix(parts)
    table = pd.DataFrame({name: np.exp(row) for name, row in at.items()})
    table["loss"] = np.exp(np.median(log_loss, axis=0))
    return table


def _on_budget(frontier: Frontier) -> dict[str, np.ndarray]:
    """Log sizes at the medians of all resources but the last, which the cost then sets."""
    cost, log_budgets = frontier.line.cost, frontier.log_budgets
    *first, last = frontier.logs
    at = {name: np.median(frontier.logs[name], axis=0) for name in first}
    # The cost is a product of powers, so that its log is linear in the last one's.
    rest = cost.log_cost(at | {last: np.zeros_like(log_budgets)})
    order = cost.log_cost(at | {last: np.ones_like(log_budgets)}) - rest
    return at | {last: (log_budgets - rest) / order}
