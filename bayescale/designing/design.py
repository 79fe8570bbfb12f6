"""`design`: the runs worth doing next, for what is asked of a larger budget."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from bayescale import cost as costs
from bayescale.cost import AbstractCost
from bayescale.designing import candidates as candidate
from bayescale.designing.information import Batch, View, batch_of, best_batch, mean_gains, start_of
from bayescale.designing.linearised import Local, localise
from bayescale.designing.value import Worth, worth_of
from bayescale.diagnosis import Diagnosis
from bayescale.errors import UsageError
from bayescale.models.model import Model
from bayescale.planning.allocation import optimum
from bayescale.planning.budget_line import BudgetLine
from bayescale.posteriors.abstract import AbstractPosterior
from bayescale.posteriors.distance import judge_distance
from bayescale.posteriors.posterior import Posterior
from bayescale.runs.table import Runs
from theory.declaration.symbols import D, N, Role

DRAWS = 48
"""Draws around which the law is taken as linear."""

RUNS = 40
"""Most runs of a batch."""

PER_RUN = 0.1
"""The dearest run may cost this share of the budget."""


@dataclass(frozen=True, eq=False, repr=False)
class Design:
    """The runs worth doing next.

    Made by `design`.

    Parameters
    ----------
    table
        One row a candidate that was chosen: its resources, D/N, ``cost`` of one run (FLOP),
        ``count``, and ``gain``, the information that it adds to the rows above it (nats).
    candidates
        All candidates with their cost and the ``gain`` of a single run of each.
    spread
        Posterior sd of ``log N*`` and ``log L*`` at the target, now and after each way to spend the
        budget. Index: way. Columns: runs, cost, gain, N, loss.
    worth
        What the batch saves.
    running
        One row a job under way, with what it still tells; None where there is none.
    budget, at
        FLOP for the batch, and FLOP of the budget asked about.
    diagnosis
        The posterior's verdict and what is doubtful about the design.
    seed
        Seed of the draws.
    """

    table: pd.DataFrame
    candidates: pd.DataFrame
    spread: pd.DataFrame
    worth: Worth
    running: pd.DataFrame | None
    budget: float
    at: float
    diagnosis: Diagnosis
    seed: int

    def __repr__(self) -> str:
        return (
            f"Design({int(np.sum(self.table['count']))} runs for {self.table_cost:.3g} FLOP, "
            f"{self.table['gain'].sum():.2f} nats on N* and L* at {self.at:.3g} FLOP)"
        )

    @cached_property
    def table_cost(self) -> float:
        """FLOP of the whole batch."""
        return float(np.sum(self.table["cost"] * self.table["count"]))

    @property
    def trusted(self) -> bool:
        """False where the gate refused and was forced."""
        return not self.diagnosis.refusals

    @property
    def reasons(self) -> list[str]:
        """Doubts, and what the batch is worth, in sentences."""
        return [*self.diagnosis.reasons, self.worth.sentence(self.at)]

    def summary(self) -> pd.DataFrame:
        """How well ``log N*`` and ``log L*`` are known now, after the batch, and by isoFLOP grids.

        Returns
        -------
        pandas.DataFrame
            See `Design.spread`.
        """
        return self.spread

    def runs(self) -> pd.DataFrame:
        """The batch with one row a run, dearest first: what to launch."""
        again = self.table.loc[np.repeat(self.table.index, self.table["count"].to_numpy())]
        kept = again.drop(columns=["count", "gain"]).sort_values("cost", ascending=False)
        return kept.reset_index(drop=True)

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {
            "runs": self.table.to_dict(orient="records"),
            "budget": self.budget,
            "cost": self.table_cost,
            "at": self.at,
            "spread": self.spread.to_dict(orient="index"),
            "worth": {
                "regret": self.worth.regret,
                "regret_after": self.worth.regret_after,
                "saved": self.worth.saved,
                "pays": self.worth.pays,
            },
            "running": None if self.running is None else self.running.to_dict(orient="records"),
            "seed": self.seed,
            "diagnostics": self.diagnosis.to_dict(),
            "trusted": self.trusted,
        }


def design(
    source: AbstractPosterior | Model,
    budget: float,
    at: float,
    *,
    cost: str | AbstractCost = "6ND",
    candidates: pd.DataFrame | Runs | Mapping[str, Any] | None = None,
    running: pd.DataFrame | Runs | Mapping[str, Any] | None = None,
    max_cost: float | None = None,
    runs: int = RUNS,
    ratios: tuple[float, float] = candidate.RATIOS,
    N_max: float = math.inf,
    D_max: float = math.inf,
    repeats: bool = True,
    single_law: bool = False,
    draws: int = DRAWS,
    seed: int | None = None,
    force: bool = False,
) -> Design:
    """Choose the runs that tell most of the optimum and its loss at a larger budget.

    The gain of a batch is the information in nats that it gives of ``log N*`` and ``log L*`` at
    `at`, draw by draw (`bayescale.designing.information`), averaged over draws and, in a stack,
    over laws. Labs run batches: design a tenth of the budget, run, fit again, and design the next.

    Parameters
    ----------
    source
        A posterior of a law with a shape that the data can bend (such as ``share``), a stack, or
        before any run a `Model`, whose priors then decide.
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
    runs
        At most so many.
    ratios
        Fewest and most tokens a parameter on the grid.
    N_max, D_max
        Largest N and D on the grid.
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
    for name, count in (("runs", runs), ("draws", draws)):
        if count < 1:
            raise UsageError(f"{name} must be at least 1; got {count}.")
    if not 0 < ratios[0] < ratios[1]:
        raise UsageError(f"ratios must be two positive numbers that ascend; got {ratios}.")
    diagnosis = Diagnosis() if isinstance(source, Model) else source.diagnosis
    diagnosis.require(force=force)
    laws = _laws(source)
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
    own = 0 if isinstance(source, Model) else source.seed
    chosen_seed = own if seed is None else seed
    locals_ = localise(source, line, math.log(at), draws=draws, seed=chosen_seed)
    return _Search(locals_, line, table, float(budget), float(at), runs, repeats, chosen_seed).run(
        running, diagnosis, resources, force
    )


def _laws(source: AbstractPosterior | Model) -> list[Any]:
    if isinstance(source, Model):
        return [source.law]
    return [post.law for post in source.members.values()]


def _rigid(source: AbstractPosterior | Model, single_law: bool) -> Diagnosis:
    """Refuse one law of a fixed form unless it is asked for; then warn."""
    models = [source] if isinstance(source, Model) else [p.model for p in source.members.values()]
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


@dataclass(frozen=True, eq=False)
class _Search:
    """Everything that one design needs."""

    locals: Sequence[Local]
    line: BudgetLine
    table: pd.DataFrame
    budget: float
    at: float
    most: int
    repeats: bool
    seed: int

    def run(
        self, running: Any, diagnosis: Diagnosis, resources: tuple[str, ...], force: bool
    ) -> Design:
        jobs = None
        points = self.table.loc[:, list(resources)]
        if running is not None:
            jobs = candidate.given(running, self.line.cost, resources)
            remaining = getattr(running, "table", running)
            share = np.asarray(remaining.get("remaining", 1.0), dtype=np.float64)
            jobs["remaining"] = _share(np.broadcast_to(share, len(jobs)))
            points = pd.concat([points, jobs.loc[:, list(resources)]], ignore_index=True)
        views = self._views(points)
        count = len(self.table)
        under_way = list(range(count, len(points)))
        prices = np.append(self.table["cost"].to_numpy(), np.full(len(under_way), np.inf))
        begin = start_of(views, under_way)
        batch = best_batch(
            views, begin, prices, budget=self.budget, most=self.most, repeats=self.repeats
        )
        if not batch.chosen:
            raise UsageError(
                f"no candidate tells anything of the optimum at {self.at:.3g} FLOP: what is asked "
                "is fixed by the priors, or the runs that are allowed do not reach it."
            )
        gains = mean_gains(views, begin)[:count]
        reach = np.array([self.at / self._most_compute(jobs)])
        verdict = judge_distance(reach, ["compute, the candidates counted as runs"])
        fitted = any(local.seen is not None for local in self.locals)
        # Before any run there is no forecast that could be refused.
        diagnosis += verdict if fitted else Diagnosis(warnings=verdict.reasons)
        diagnosis.require(force=force)
        return Design(
            table=self._chosen(batch, resources),
            candidates=self.table.assign(gain=gains),
            spread=self._spread(views, begin, batch, resources),
            worth=worth_of(self._posts, self.line, self.at, views, begin, batch),
            running=None if jobs is None else self._judged(views, jobs, prices, under_way),
            budget=self.budget,
            at=self.at,
            diagnosis=diagnosis,
            seed=self.seed,
        )

    def _views(self, points: pd.DataFrame) -> list[View]:
        logs = {str(name): np.log(points[name].to_numpy(np.float64)) for name in points}
        return [View.of(local, logs) for local in self.locals]

    def _most_compute(self, jobs: pd.DataFrame | None) -> float:
        most: list[Any] = [self.table["cost"].max()]
        if jobs is not None:
            most.append(jobs["cost"].max())
        for local in self.locals:
            if local.seen is not None:
                most.append(float(np.exp(self.line.cost.log_cost(local.seen)).max()))
        return float(max(most))

    def _chosen(self, batch: Batch, resources: tuple[str, ...]) -> pd.DataFrame:
        rows = self.table.iloc[list(batch.chosen)].assign(gain=batch.gains, place=batch.chosen)
        kept = rows.groupby("place", sort=False).agg(
            **{name: (name, "first") for name in (*resources, "cost")},
            count=("gain", "size"),
            gain=("gain", "sum"),
        )
        kept.insert(len(resources), "D/N", kept["D"] / kept["N"])
        return kept.reset_index(drop=True)

    def _spread(
        self,
        views: Sequence[View],
        begin: Sequence[np.ndarray],
        batch: Batch,
        resources: tuple[str, ...],
    ) -> pd.DataFrame:
        rows = {"now": _row(views, begin, 0, 0.0, 0.0)}
        rows["this design"] = _row(
            views, batch.covariances, len(batch.chosen), batch.cost, batch.gain
        )
        if set(resources) == {N.name, D.name}:
            centre = self._frontier()
            for name, reach in (("isoFLOP", candidate.USUAL), ("wide isoFLOP", candidate.WIDE)):
                other = candidate.isoflop(self.line.cost, batch.cost, centre, reach)
                seen = self._views(other.loc[:, list(resources)])
                prices = other["cost"].to_numpy()
                done = batch_of(seen, begin, prices, range(len(other)))
                rows[name] = _row(seen, done.covariances, len(other), done.cost, done.gain)
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("way")

    def _frontier(self) -> dict[str, np.ndarray]:
        """Median log N of the optimum at budgets up to the target."""
        logs = np.linspace(math.log(self.budget / 1e4), math.log(self.at), 12)
        found = [optimum(post, self.line, logs).logs[N.name] for post in self._posts]
        return {"compute": logs, "N": np.median(np.concatenate(found), axis=0)}

    @cached_property
    def _posts(self) -> list[Posterior]:
        """The draws of each law as a posterior."""
        out = []
        for local in self.locals:
            sites = local.density.constrain(local.positions)
            natural = local.model.law.values(local.model.parameters(sites, np))
            out.append(Posterior.from_draws(local.model.law, natural))
        return out

    def _judged(
        self,
        views: Sequence[View],
        jobs: pd.DataFrame,
        prices: np.ndarray,
        under_way: Sequence[int],
    ) -> pd.DataFrame:
        """What each job still tells, against the best new run for what it still costs."""
        own, rival = [], []
        for place, index in enumerate(under_way):
            others = [i for i in under_way if i != index]
            gains = mean_gains(views, start_of(views, others))
            left = jobs["remaining"].iloc[place] * jobs["cost"].iloc[place]
            own.append(gains[index])
            rival.append(gains[prices <= left].max(initial=0.0))
        out = jobs.assign(gain=own, best_new_run=rival)
        return out.assign(advice=np.where(out["gain"] >= out["best_new_run"], "go on", "stop"))


def _row(
    views: Sequence[View], covariances: Sequence[np.ndarray], runs: int, cost: float, gain: float
) -> dict[str, float]:
    """Root mean variance of what is asked, over the draws of all laws."""
    spreads = [view.spread(covariance) for view, covariance in zip(views, covariances, strict=True)]
    mean = np.concatenate(spreads).mean(axis=0)
    sd = np.sqrt(np.diag(mean))
    return {"runs": runs, "cost": cost, "gain": gain, "N": float(sd[0]), "loss": float(sd[-1])}


def _share(values: np.ndarray) -> np.ndarray:
    if not np.all((values >= 0) & (values <= 1)):
        raise UsageError(
            "column 'remaining' of the running jobs is the share of their cost still to be spent, "
            f"from 0 to 1; got {values.min():g} to {values.max():g}."
        )
    return values
