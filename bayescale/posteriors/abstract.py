"""What every verb asks of a posterior: a mixture of posteriors of one law each, or of just one."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bayescale.diagnosis import Diagnosis, Result
from bayescale.posteriors.checks.own_cuts import judge_points
from bayescale.posteriors.distance import distance, judge_distance
from bayescale.posteriors.prediction import Prediction
from theory.declaration.abstract_law import AbstractLaw


class Piece(NamedTuple):
    """A law with some of its draws.

    Parameters
    ----------
    law
        The law.
    parameters
        Its parameters as `AbstractLaw.log_loss` takes them, columns (draw, 1).
    tilt, top
        As `Posterior.tilt` gives them.
    """

    law: AbstractLaw
    parameters: Mapping[str, np.ndarray]
    tilt: np.ndarray
    top: float


class AbstractPosterior(Result):
    """A weighted mixture of posteriors of one table; a single posterior is a mixture of one.

    Attributes
    ----------
    members
        Posteriors of one law each (`Posterior`), by name.
    weights
        Weight of each; they add up to 1.
    diagnosis
        The gate's verdict on those that carry weight.
    seed
        Seed of the fit.
    """

    members: Mapping[str, Any]
    weights: Mapping[str, float]
    seed: int

    @abstractmethod
    def mix(self, parts: Mapping[str, np.ndarray]) -> np.ndarray:
        """Draws of the mixture from draws of the members, (draw, ...) each."""

    @abstractmethod
    def carried(self, diagnoses: Mapping[str, Diagnosis]) -> Diagnosis:
        """The verdicts on members that carry weight, labelled where there are several."""

    @abstractmethod
    def predict(self, *, force: bool = False, **options: Any) -> Prediction:
        """Posterior of the loss at given resources."""

    @property
    @abstractmethod
    def exact(self) -> "AbstractPosterior":
        """The same with every law taken as exact beyond the runs."""

    @property
    def origin(self) -> str:
        """Table, number of runs, and law or laws: what a figure or a page is titled with."""
        record = self.first.record
        told = str(record.get("table", "given draws"))
        if "n_runs" in record:
            told += f", {record['n_runs']} runs"
        if "group" in record:
            told += f", {record['group']}"
        if len(self.members) == 1:
            return f"{told}, law {self.first.law.name}"
        return f"{told}, laws " + ", ".join(f"{n} {w:.2f}" for n, w in self.weights.items())

    def diagnose(self) -> Diagnosis:
        """The gate's verdict: ok, warn or refuse, with the reasons."""
        return self.diagnosis

    @property
    def first(self) -> Any:
        """The first member: all have the same runs."""
        return next(iter(self.members.values()))

    @property
    def runs(self) -> pd.DataFrame | None:
        """The observed runs that were fitted (resources, loss), or None for given draws."""
        return self.first.runs

    @property
    def sizes(self) -> list[str]:
        """Names of the sizes that are spent; a law's further resources are not among them."""
        return [resource.name for resource in self.first.law.sizes]

    def distance(self, points: Mapping[str, Any] | pd.DataFrame) -> np.ndarray | None:
        """Multiple of the largest run at which each point lies (`bayescale.posteriors.distance`).

        Parameters
        ----------
        points
            Resources by name, (point,) each.
        """
        return distance(self.first.seen, points)

    def judge_distance(self, points: Mapping[str, Any] | pd.DataFrame) -> Diagnosis:
        """The gate's verdict on how far points lie beyond the runs."""
        multiple = self.distance(points)
        return judge_distance(multiple, self.sizes) + judge_points(self.first.record, multiple)

    def kept(self) -> dict[str, np.ndarray]:
        """Which draws of each member the mixture holds, in the order of `mix`: (draw,) indices."""
        counts = {name: post.count for name, post in self.members.items()}
        starts = dict(zip(counts, np.cumsum([0, *counts.values()]).tolist(), strict=False))
        numbered = {name: starts[name] + np.arange(count) for name, count in counts.items()}
        kept = self.mix(numbered)
        held = {}
        for name, count in counts.items():
            own = kept[(kept >= starts[name]) & (kept < starts[name] + count)]
            if own.size:
                held[name] = own - starts[name]
        return held

    def pieces(self) -> list[Piece]:
        """Each law with those of its draws that the mixture holds, in the order of `mix`."""
        out = []
        for name, chosen in self.kept().items():
            post = self.members[name]
            tilt, top = post.tilt
            parameters = {n: a[chosen] for n, a in post.columns.items()}
            out.append(Piece(post.law, parameters, tilt[chosen], top))
        return out
