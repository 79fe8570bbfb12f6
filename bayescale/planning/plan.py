"""`plan`: from a posterior and a budget, a target or an allocation to a plan with its risk."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from bayescale.cost import AbstractCost, Shape
from bayescale.diagnosis import MAX_RHAT, MIN_ESS, Diagnosis, beside
from bayescale.errors import UsageError
from bayescale.planning import objectives
from bayescale.planning.allocation import (
    Optimum,
    closed_form,
    losses_at,
    optimum,
    recommended,
    require_balance,
    spends_size_and_data,
)
from bayescale.planning.budget_line import REPETITION, Line
from bayescale.planning.compute_multiplier import exponents
from bayescale.planning.limits import Limits, budget_of
from bayescale.planning.objectives import AbstractObjective
from bayescale.planning.objectives.quantile import Quantile
from bayescale.planning.present_plan import compare_with, sizes_of
from bayescale.planning.result import Means, Plan
from bayescale.planning.targets import budgets_for
from bayescale.posteriors.abstract import AbstractPosterior
from bayescale.posteriors.distance import judge_distance
from bayescale.posteriors.posterior import Posterior

__all__ = ["Plan", "plan"]


def plan(
    posterior: AbstractPosterior,
    compute: float | Sequence[float] | np.ndarray | None = None,
    *,
    target: float | Sequence[float] | np.ndarray | None = None,
    confidence: float = 0.9,
    allocation: Mapping[str, float] | None = None,
    money: float | None = None,
    present: Mapping[str, float] | None = None,
    cost: str | AbstractCost = "6ND",
    objective: str | AbstractObjective | None = None,
    inference_tokens: float = 0.0,
    unique_tokens: float | None = None,
    repetition: float = REPETITION,
    N_max: float | None = None,
    D_max: float | None = None,
    shapes: Sequence[Shape] = (),
    sizes: Sequence[float] = (),
    experts: Mapping[str, float] | None = None,
    at: Mapping[str, float] | None = None,
    chip: str | None = None,
    mfu: float | None = None,
    inference_mfu: float | None = None,
    price: float | None = None,
    gpus: float | None = None,
    hours: float | None = None,
    batch: float | None = None,
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
        budget that does (`bayescale.planning.targets`). A target that no budget reaches so surely
        gets no plan, but a sentence with the probability that it is unreachable.
    allocation
        N and D to be judged: the plan is at its compute, and `Plan.present` holds its loss,
        regret and waste.
    money
        Budget in money, which needs a price. Instead of a budget, `hours` and `gpus` will do.
    present
        N (and D) of a plan to compare with at the budgets.
    cost
        A cost model or its name.
    objective
        At a budget: ``"median"`` (of the optimal N; the default), ``"expected_loss"``,
        ``"expected_regret"``, ``"quantile(0.9)"``, ``"cvar(0.9)"``. For a target: ``"compute"``
        (the default) or ``"money"``, in which serving weighs by its own utilisation.
    inference_tokens
        Tokens to be served over the model's life, each at a third of a training token's cost
        (Sardana et al. 2024).
    unique_tokens, repetition
        Unique tokens, and after how many repetitions they stop helping (Muennighoff et al. 2023);
        laws that know ``U`` use their own.
    N_max, D_max
        Most parameters (all of them, in a mixture of experts) and most tokens.
    shapes, sizes
        The only shapes, for costs that depend on them, or the only N that may be trained.
    experts
        ``active`` and ``total`` parameters of one model of the family, and ``law_counts``
        ("active" or "total") for cost ``"moe"``.
    at
        Any other resource of the law, by name.
    chip, mfu, inference_mfu, price, gpus
        Chip (`bayescale.cost.chips`), share of its dense peak in training and in serving, price
        of a chip for an hour, number of chips.
    hours
        Wall-clock limit of training.
    batch
        Tokens a batch, to be compared with the critical batch in `Plan.bill`.
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
    limits = Limits(
        cost=cost,
        inference_tokens=inference_tokens,
        unique_tokens=unique_tokens,
        repetition=repetition,
        N_max=N_max,
        D_max=D_max,
        shapes=tuple(shapes),
        sizes=tuple(sizes),
        experts=experts,
        at=at or {},
        chip=chip,
        mfu=mfu,
        inference_mfu=inference_mfu,
        price=price,
        gpus=gpus,
        hours=hours,
        by_money=money is not None or objective == "money",
    )
    line, means = limits.line, Means(limits.hardware, float(inference_tokens), batch)
    laws = [post.law for post in posterior.members.values()]
    for law in laws:
        line.require(law)
    line.require_further(laws)
    asked = {"compute": compute, "target": target, "allocation": allocation, "money": money}
    what = budget_of(asked, hours)
    if what == "target":
        return _for_target(posterior, line, means, target, confidence, objective, present, force)
    chosen = objectives.get("median" if objective is None else objective)
    if what == "allocation":
        size, data = sizes_of(allocation or {})
        if data is None or present is not None:
            raise UsageError(
                "allocation takes both N and D, and is itself the present plan; to compare a "
                "present plan with the best of a budget, pass compute= and present=."
            )
        present, budgets = allocation, np.array([line.spend(size, data)])
    elif what == "compute":
        budgets = _budgets(compute, line)
    else:
        budgets = np.array([limits.budget_from(money)])
    return _plan(posterior, line, means, budgets, chosen, present, force)


def _budgets(compute: object, line: Line) -> Float[np.ndarray, " budget"]:
    budgets = np.atleast_1d(np.asarray(compute, dtype=np.float64))
    least = float(np.exp(line.cost.log_cost({r.name: 0.0 for r in line.cost.resources})))
    if budgets.ndim != 1 or not np.all(np.isfinite(budgets) & (budgets > least)):
        raise UsageError(
            f"compute must be finite and above {least:.4g} FLOP, the cost of the smallest run; "
            f"got {compute}."
        )
    return budgets


def _for_target(
    source: AbstractPosterior,
    line: Line,
    means: Means,
    target: float | Sequence[float] | np.ndarray | None,
    confidence: float,
    objective: str | AbstractObjective | None,
    present: Mapping[str, float] | None,
    force: bool,
) -> Plan:
    if not spends_size_and_data(line):
        raise UsageError(
            f"targets are planned for costs in N and D; cost '{line.cost.name}' is one in "
            f"{', '.join(r.name for r in line.cost.resources)}."
        )
    if objective is not None and objective not in objectives.FOR_A_TARGET:
        raise UsageError(
            f"to reach a target either {' or '.join(objectives.FOR_A_TARGET)} is minimised; got "
            f"objective {objective!r}, which is one at a given budget: leave it out."
        )
    assert target is not None
    targets = budgets_for(source, line, target, confidence)
    budgets = targets.compute[np.isfinite(targets.compute)]
    found = _plan(source, line, means, budgets, Quantile(confidence), present, force)
    doubts = Diagnosis(warnings=targets.reasons())
    fields = {name: getattr(found, name) for name in found.__dataclass_fields__}
    return Plan(**fields | {"targets": targets, "diagnosis": found.diagnosis + doubts})


def _plan(
    source: AbstractPosterior,
    line: Line,
    means: Means,
    budgets: Float[np.ndarray, " budget"],
    objective: AbstractObjective,
    present: Mapping[str, float] | None,
    force: bool,
) -> Plan:
    logs, posts = np.log(budgets), source.members
    optima = {name: optimum(post, line, logs) for name, post in posts.items()}
    for name, post in posts.items():
        if spends_size_and_data(line) and closed_form(post.law, line) is None:
            require_balance(post, optima[name])
    resources = {
        name: np.exp(source.mix({law: one.logs[name] for law, one in optima.items()}))
        for name in next(iter(optima.values())).logs
    }
    table = _recommend(source, line, objective, logs, optima, resources)
    judged = {name: _convergence(post, budgets, optima[name]) for name, post in posts.items()}
    diagnosis = source.carried({n: posts[n].diagnosis + judged[n][0] for n in posts})
    far = source.distance(table)
    diagnosis += judge_distance(far, source.sizes)
    diagnosis += Diagnosis(warnings=_limited(source, line, table))
    diagnosis.require(force=force)
    convergence = {name: one for name, (_, one) in judged.items()}
    shown = [exponents(post, line) for post in posts.values()]
    shared = [name for name in shown[0] if all(name in one for one in shown)]
    loss = np.exp(source.mix({name: one.log_drifted for name, one in optima.items()}))
    compared = None
    if present is not None and budgets.size:
        best = np.exp(source.mix({name: one.log_loss for name, one in optima.items()}))
        size, data = (np.log(table[name].to_numpy()) for name in ("N", "D"))
        mine = np.exp(losses_at(source, line, size, data, drift=True))
        compared = compare_with(source, line, present, logs, best, mine)
    return Plan(
        compute=budgets,
        resources=resources,
        loss=loss,
        recommended=table,
        diagnosis=diagnosis,
        cost=line.cost,
        exponent_draws={
            name: source.mix({law: one[name] for law, one in zip(posts, shown, strict=True)})
            for name in shared
        },
        convergence=(
            pd.concat(convergence, names=["law"])
            if len(source.members) > 1
            else next(iter(convergence.values()))
        ),
        source=source,
        line=line,
        objective=objective,
        optima=optima,
        far=far,
        means=means,
        present=compared,
    )


def _recommend(
    source: AbstractPosterior,
    line: Line,
    objective: AbstractObjective,
    log_budgets: Float[np.ndarray, " budget"],
    optima: Mapping[str, Optimum],
    resources: Mapping[str, np.ndarray],
) -> pd.DataFrame:
    """The one choice at each budget, and the median of the loss there."""
    if spends_size_and_data(line):
        log_size = recommended(source, line, objective, log_budgets, optima)
        log_data = line.log_data(log_size, log_budgets)
        at = {"N": log_size, "D": log_data}
        log_loss = losses_at(source, line, log_size, log_data, drift=True)
    else:
        at = _on_budget(line, log_budgets, resources)
        rows = {name: row[None] for name, row in at.items()}
        parts = {}
        for name, post in source.members.items():
            columns = {n: array[:, None] for n, array in post.log_parameters.items()}
            parts[name] = post.law.log_loss(columns, rows, np) + post.log_drift(rows)
        log_loss = source.mix(parts)
    table = pd.DataFrame({name: np.exp(row) for name, row in at.items()})
    table["loss"] = np.exp(np.median(log_loss, axis=0))
    return table.set_axis(pd.Index(np.exp(log_budgets), name="compute"))


def _on_budget(
    line: Line, log_budgets: np.ndarray, resources: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Log sizes at the medians of all resources but the last, which the cost then sets."""
    *first, last = resources
    at = {name: np.median(np.log(resources[name]), axis=0) for name in first}
    # The cost is a product of powers, so that its log is linear in the last one's.
    rest = line.cost.log_cost(at | {last: np.zeros_like(log_budgets)})
    order = line.cost.log_cost(at | {last: np.ones_like(log_budgets)}) - rest
    return at | {last: (log_budgets - rest) / order}


def _convergence(
    posterior: Posterior, budgets: np.ndarray, found: Optimum
) -> tuple[Diagnosis, pd.DataFrame]:
    """R-hat and ESS of the planned quantities themselves."""
    chains = posterior.draws.sizes["chain"]
    quantities = {
        f"log {name}* at {budget:g}": array[:, j].reshape(chains, -1)
        for j, budget in enumerate(budgets)
        for name, array in {**found.logs, "L": found.log_drifted}.items()
    }
    table = posterior.describe(quantities)
    if broken := [name for name, values in quantities.items() if not np.all(np.isfinite(values))]:
        return Diagnosis((f"{', '.join(broken)} is not finite for some draws.",)), table
    # The importance-sampled posterior was judged as a whole.
    if table.empty or "importance_ess" in posterior.record:
        return Diagnosis(), table
    least = table[["ess_bulk", "ess_tail"]].min(axis=1)
    bad = table.assign(ess=least)[(table["r_hat"] > MAX_RHAT) | (least < MIN_ESS)]
    refusals = tuple(
        f"{name} did not converge (R-hat {beside(row['r_hat'], MAX_RHAT, 3)}, ESS "
        f"{beside(row['ess'], MIN_ESS, 0)})."
        for name, row in bad.iterrows()
    )
    return Diagnosis(refusals), table


def _limited(source: AbstractPosterior, line: Line, table: pd.DataFrame) -> tuple[str, ...]:
    """Say which limits are active, and which constant is not the posterior's."""
    out = []
    if line.plain or table.empty:
        return ()
    near = 1 - 1e-9
    stored = np.exp(line.cost.log_stored(np.log(table["N"].to_numpy())))
    if np.any(stored >= line.size_cap * near):
        out.append(f"N_max = {line.size_cap:g} limits the plan: a larger model would be better.")
    if np.any(table["D"] >= line.data_cap * near):
        out.append(f"D_max = {line.data_cap:g} limits the plan: more data would be better.")
    spent = np.exp(line.cost.log_cost({n: np.log(table[n].to_numpy()) for n in ("N", "D")}))
    if np.any(spent >= line.compute_cap * near):
        out.append(
            f"the hours limit the training to {line.compute_cap:.3g} FLOP: more chips or time "
            "would be better."
        )
    laws = [post.law for post in source.members.values()]
    if any(line.repeats(law) for law in laws) and np.any(table["D"] > line.unique):
        out.append(
            f"data repeat {table['D'].max() / line.unique:.3g} times; what repetition is worth is "
            f"taken from R = {line.repetition:.4g} (Muennighoff et al. 2023), not from these runs."
        )
    return tuple(out)
