"""One design problem: from candidates and linearised laws to the batch that tells most."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from bayescale.designing import candidates as candidate
from bayescale.designing.information import (
    Batch,
    LinearGaussian,
    batch_of,
    best_batch,
    mean_gains,
    start_of,
)
from bayescale.designing.linearised import LinearisedLaw
from bayescale.designing.result import Design
from bayescale.designing.value import value_of
from bayescale.diagnosis import Diagnosis
from bayescale.errors import UsageError
from bayescale.planning.allocation import optimum
from bayescale.planning.budget_line import BudgetLine
from bayescale.posteriors.distance import judge_distance
from bayescale.posteriors.posterior import Posterior
from theory.declaration.symbols import D, N


@dataclass(frozen=True, eq=False)
class DesignProblem:
    """Which runs to choose from, for what, and what the laws say of them.

    Parameters
    ----------
    laws
        The laws around some of their draws.
    line
        Where the budget asked about can be spent.
    table
        Candidates that are affordable, with their ``cost``.
    budget, at
        FLOP for the batch, and FLOP of the budget asked about.
    max_runs
        At most so many runs.
    repeats
        Whether a candidate may be run more than once.
    seed
        Seed of the draws.
    """

    laws: Sequence[LinearisedLaw]
    line: BudgetLine
    table: pd.DataFrame
    budget: float
    at: float
    max_runs: int
    repeats: bool
    seed: int

    def solve(
        self, running: Any, diagnosis: Diagnosis, resources: tuple[str, ...], force: bool
    ) -> Design:
        """Choose the batch, and say what it is worth.

        Parameters
        ----------
        running
            Jobs under way, as `design` takes them; None where there are none.
        diagnosis
            What is doubtful so far.
        resources
            Columns of the candidates that the laws need.
        force
            Go on where the distance to the budget is refused.

        Raises
        ------
        UsageError
            If no candidate tells anything of what is asked.
        DiagnosticsRefused
            If `at` lies too far beyond the runs and candidates.
        """
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
            views, begin, prices, budget=self.budget, max_runs=self.max_runs, repeats=self.repeats
        )
        if not batch.chosen:
            raise UsageError(
                f"no candidate tells anything of the optimum at {self.at:.3g} FLOP: what is asked "
                "is fixed by the priors, or the runs that are allowed do not reach it."
            )
        gains = mean_gains(views, begin)[:count]
        reach = np.array([self.at / self._most_compute(jobs)])
        verdict = judge_distance(reach, ["compute, the candidates counted as runs"])
        fitted = any(law.seen is not None for law in self.laws)
        # Before any run there is no forecast that could be refused.
        diagnosis += verdict if fitted else Diagnosis(warnings=verdict.reasons)
        diagnosis.require(force=force)
        return Design(
            table=self._chosen(batch, resources),
            candidates=self.table.assign(gain=gains),
            spread=self._spread(views, begin, batch, resources),
            worth=value_of(self._posts, self.line, self.at, views, begin, batch),
            running=None if jobs is None else self._judged(views, jobs, prices, under_way),
            budget=self.budget,
            at=self.at,
            diagnosis=diagnosis,
            seed=self.seed,
        )

    def _views(self, points: pd.DataFrame) -> list[LinearGaussian]:
        logs = {str(name): np.log(points[name].to_numpy(np.float64)) for name in points}
        return [LinearGaussian.of(law, logs) for law in self.laws]

    def _most_compute(self, jobs: pd.DataFrame | None) -> float:
        most: list[Any] = [self.table["cost"].max()]
        if jobs is not None:
            most.append(jobs["cost"].max())
        for law in self.laws:
            if law.seen is not None:
                most.append(float(np.exp(self.line.cost.log_cost(law.seen)).max()))
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
        views: Sequence[LinearGaussian],
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
        for law in self.laws:
            sites = law.density.constrain(law.positions)
            natural = law.model.law.values(law.model.parameters(sites, np))
            out.append(Posterior.from_draws(law.model.law, natural))
        return out

    def _judged(
        self,
        views: Sequence[LinearGaussian],
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
    views: Sequence[LinearGaussian],
    covariances: Sequence[np.ndarray],
    runs: int,
    cost: float,
    gain: float,
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
