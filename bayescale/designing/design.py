"""`design`: the runs worth doing next, for what is asked of a larger budget."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from bayescale import cost as costs
from bayescale.aliases import with_aliases
from bayescale.cost import AbstractCost
from bayescale.designing import candidates as candidate
from bayescale.designing.linearised import linearise
from bayescale.designing.problem import DesignProblem
from bayescale.designing.result import Design
from bayescale.diagnosis import Diagnosis
from bayescale.errors import UsageError
from bayescale.models.model import Model
from bayescale.planning.budget_line import BudgetLine
from bayescale.posteriors.abstract import AbstractPosterior
from bayescale.posteriors.before_runs import prior_posterior
from bayescale.progress import Progress, shown
from bayescale.runs.table import Runs
from theory.declaration.symbols import D, N, Role

__all__ = ["Design", "design"]

DRAWS = 48
"""Draws around which the law is taken as linear."""

RUNS = 40
"""Most runs of a batch."""

PER_RUN = 0.1
"""The dearest run may cost this share of the budget."""


@with_aliases
def design(
    source: AbstractPosterior | Model,
    budget: float,
    at: float,
    *,
    cost: str | AbstractCost = "6ND",
    candidates: pd.DataFrame | Runs | Mapping[str, Any] | None = None,
    running: pd.DataFrame | Runs | Mapping[str, Any] | None = None,
    max_cost: float | None = None,
    max_runs: int = RUNS,
    ratios: tuple[float, float] = candidate.RATIOS,
    N_max: float = math.inf,
    D_max: float = math.inf,
    repeats: bool = True,
    single_law: bool = False,
    draws: int = DRAWS,
    seed: int | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Design:
    """Choose the runs that tell most of the optimum and its loss at a larger budget.

    The gain of a batch is the information in nats that it gives of ``log N*`` and ``log L*`` at
    `at`, draw by draw (`bayescale.designing.information`), averaged over draws and, in a stack,
    over laws. Labs run batches: design a tenth of the budget, run, fit again, and design the next.

    Parameters
    ----------
    source
        A posterior of a law with a shape that the data can bend (such as ``share``), a stack, or
        before any run a `Model`, whose priors then decide
        (`bayescale.posteriors.before_runs`).
    budget
        FLOP for all runs together.
    at
        The budget in FLOP at which the optimum is asked about.
    cost
        A cost model in N and D, or its name in ``bs.cost.COSTS``.
    candidates
        The only runs allowed: a table with the law's resources, and ``cost`` (FLOP) where it is not
        the cost model's. By default a grid up to `max_cost`.
    running
        Jobs under way, like candidates; they count as done. A column ``remaining`` has the share of
        their cost that is still to be spent (1 by default); those that tell less than a new run of
        that cost are named.
    max_cost
        The most that one run may cost; a tenth of the budget by default.
    max_runs
        At most so many runs.
    ratios
        Fewest and most tokens a parameter on the grid.
    N_max, D_max
        Most parameters and most tokens of a run on the grid.
    repeats
        Whether a candidate may be run more than once (another seed).
    single_law
        Design under one law of a fixed form, which is confidently wrong where the form is.
    draws
        Draws around which the law is taken as linear.
    seed
        Seed of drawing from priors; the fit's own by default.
    force
        Design even where the gate refuses; the result is then marked as not trusted.
    progress
        Called with a few words at each stage; by default what takes over 3 s shows itself on a
        terminal's standard error or in a notebook (`bayescale.progress`).

    Returns
    -------
    Design

    Raises
    ------
    UsageError
        If a number is out of range, no candidate is affordable, nothing can be learnt from the
        candidates, or the law has a fixed form and `single_law` is not given.
    DiagnosticsRefused
        If the gate refuses the posterior, or `at` lies too far beyond the runs and candidates
        (`bayescale.posteriors.distance`).

    Notes
    -----
    Information about a few functions of the parameters is the criterion of Chaloner and Verdinelli
    (1995), section 2; exchange is Fedorov's (1972). Nearly half of the gain over the usual isoFLOP
    grid is had by spreading D/N, so `Design.spread` has that grid with sizes up to 3.3 times, and
    up to 6 times, to either side of the optimum.
    """
    for name, value in (("budget", budget), ("at", at), ("max_cost", max_cost or budget)):
        if not (math.isfinite(value) and value > 0):
            raise UsageError(f"{name} must be a positive number of FLOP; got {value:g}.")
    for name, count in (("max_runs", max_runs), ("draws", draws)):
        if count < 1:
            raise UsageError(f"{name} must be at least 1; got {count}.")
    if not 0 < ratios[0] < ratios[1]:
        raise UsageError(f"ratios must be two positive numbers that ascend; got {ratios}.")
    if isinstance(source, Model):
        source = prior_posterior(source, draws=draws, seed=seed or 0)
    diagnosis = source.diagnosis
    diagnosis.require(force=force)
    laws = [post.law for post in source.members.values()]
    spent = costs.get(cost)
    diagnosis += _rigid(source, single_law)
    if set(spent.resources) != {N, D}:
        told = ", ".join(r.name for r in spent.resources)
        raise UsageError(f"a design needs a cost in N and D; cost '{spent.name}' is one in {told}.")
    line = BudgetLine(spent)
    for law in laws:
        line.require(law)
    resources = tuple(r.name for r in laws[0].resources)
    dearest = min(budget, budget * PER_RUN if max_cost is None else max_cost)
    table = (
        candidate.grid(spent, dearest, ratios=ratios, size_cap=N_max, data_cap=D_max)
        if candidates is None
        else candidate.given(candidates, spent, resources)
    )
    if not (affordable := (table["cost"] <= dearest).to_numpy()).any():
        raise UsageError(
            f"the cheapest candidate costs {table['cost'].min():.3g} FLOP, but a run may cost "
            f"{dearest:.3g} at most; raise the budget or max_cost, or allow smaller runs."
        )
    table = table.loc[affordable].reset_index(drop=True)
    own = source.seed if seed is None else seed
    with shown(progress) as tell:
        tell("how each law bends around its draws")
        linearised = linearise(source, line, math.log(at), draws=draws, seed=own)
        problem = DesignProblem(
            linearised, line, table, float(budget), float(at), max_runs, repeats, own
        )
        tell(f"choosing among {len(table)} candidates")
        found = problem.solve(running, diagnosis, resources, force)
    return replace(found, origin=source.origin)


def _rigid(source: AbstractPosterior, single_law: bool) -> Diagnosis:
    """Refuse one law of a fixed form unless it is asked for; then warn."""
    models = [post.model for post in source.members.values()]
    if len(models) > 1 or models[0] is None:
        return Diagnosis()
    model = models[0]
    shapes = {p.name for p in model.law.parameters if p.role is Role.SHAPE}
    if shapes - set(model.fixed):
        return Diagnosis()
    told = (
        f"law '{model.law.name}' has a fixed form, and a design under one such law is confidently "
        "wrong where the form is"
    )
    if not single_law:
        raise UsageError(
            f"{told}; fit a law with a free shape, such as 'share', or pass a stack "
            "(bayescale.stack), or ask for it with single_law=True (--single-law)."
        )
    return Diagnosis(warnings=(f"{told}: compare with law 'share' or with a stack.",))
