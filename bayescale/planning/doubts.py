"""What is doubtful about a plan beside its posterior: convergence of what is planned, limits."""

import numpy as np
import pandas as pd

from bayescale.diagnosis import MAX_RHAT, MIN_ESS, Diagnosis, beside
from bayescale.planning.allocation import Optimum
from bayescale.planning.budget_line import BudgetLine
from bayescale.planning.frontier import Frontier
from bayescale.posteriors.posterior import Posterior


def judge_convergence(frontier: Frontier) -> tuple[Diagnosis, pd.DataFrame]:
    """R-hat and ESS of the planned quantities themselves, of each law that is carried.

    Returns
    -------
    tuple
        The verdict, the members' own included, and a summary of ``log R*`` and ``log L*`` at each
        budget (by law where there are several).
    """
    source, budgets = frontier.source, np.exp(frontier.log_budgets)
    members = source.members
    judged = {name: _of_one(post, budgets, frontier.optima[name]) for name, post in members.items()}
    verdicts = {name: members[name].diagnosis + judged[name][0] for name in members}
    tables = {name: table for name, (_, table) in judged.items()}
    joined = pd.concat(tables, names=["law"]) if len(tables) > 1 else next(iter(tables.values()))
    return source.carried(verdicts), joined


def _of_one(
    posterior: Posterior, budgets: np.ndarray, found: Optimum
) -> tuple[Diagnosis, pd.DataFrame]:
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
    rhats = table["r_hat"].to_numpy(np.float64)
    least = table[["ess_bulk", "ess_tail"]].to_numpy(np.float64).min(axis=1)
    bad = [
        (name, float(r_hat), float(ess))
        for name, r_hat, ess in zip(table.index, rhats, least, strict=True)
        if r_hat > MAX_RHAT or ess < MIN_ESS
    ]
    refusals = tuple(
        f"{name} did not converge (R-hat {beside(r_hat, MAX_RHAT, 3)}, ESS "
        f"{beside(ess, MIN_ESS, 0)})."
        for name, r_hat, ess in bad
    )
    return Diagnosis(refusals), table


def judge_limits(frontier: Frontier, table: pd.DataFrame) -> Diagnosis:
    """Say which limits are active at what is recommended, and which constant is assumed."""
    line = frontier.line
    if line.plain or table.empty:
        return Diagnosis()
    return Diagnosis(warnings=tuple(_limited(frontier, line, table)))


def _limited(frontier: Frontier, line: BudgetLine, table: pd.DataFrame) -> list[str]:
    out = []
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
    laws = [post.law for post in frontier.source.members.values()]
    if any(line.repeats(law) for law in laws) and np.any(table["D"] > line.unique):
        out.append(
            f"data repeat {table['D'].max() / line.unique:.3g} times; what repetition is worth is "
            f"taken from R = {line.repetition:.4g} (Muennighoff et al. 2023), not from these runs."
        )
    return out
