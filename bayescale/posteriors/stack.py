"""A mixture of posteriors of one table: predicts and plans with the uncertainty of the form."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from bayescale.diagnosis import Diagnosis
from bayescale.errors import DiagnosticsWarning
from bayescale.models.thinning import thinned, whole_shares
from bayescale.posteriors.abstract import AbstractPosterior
from bayescale.posteriors.posterior import Posterior
from bayescale.posteriors.prediction import Prediction

CARRIES = 0.001
"""A law of less weight is not asked for its diagnostics."""


@dataclass(frozen=True, eq=False, repr=False)
class Stack(AbstractPosterior):
    """A weighted mixture of posteriors of one table.

    Made by `stack`. Predicts, and plans with `bayescale.plan`, like a posterior.

    Parameters
    ----------
    members
        Posteriors by name.
    weights
        Their weights, which add up to 1.
    scores
        What the weights rest on: one row a law.
    by
        How they were found.
    """

    members: Mapping[str, Posterior]
    weights: Mapping[str, float]
    scores: pd.DataFrame
    by: str

    def __repr__(self) -> str:
        told = ", ".join(f"{name} {weight:.2f}" for name, weight in self.weights.items())
        return f"Stack(by {self.by}: {told}; diagnostics {self.diagnosis.status})"

    @property
    def seed(self) -> int:
        """Seed of its first member."""
        return next(iter(self.members.values())).seed

    @property
    def exact(self) -> "Stack":
        """The same with every law taken as exact beyond the runs."""
        return replace(self, members={name: post.exact for name, post in self.members.items()})

    @cached_property
    def diagnosis(self) -> Diagnosis:
        """What the gate says of members that carry weight, each reason with its law."""
        return self.carried({name: post.diagnosis for name, post in self.members.items()})

    def carried(self, diagnoses: Mapping[str, Diagnosis]) -> Diagnosis:
        """The verdicts on members that carry weight, each reason with its law."""
        heavy = (one.labelled(n) for n, one in diagnoses.items() if self.weights[n] > CARRIES)
        return sum(heavy, Diagnosis())

    def summary(self) -> pd.DataFrame:
        """Weights, and the scores that they rest on; one row a law."""
        return self.scores.assign(weight=pd.Series(dict(self.weights)))

    def mix(self, parts: Mapping[str, np.ndarray]) -> np.ndarray:
        """Draws of the mixture from draws of the members, (draw, ...) each.

        Every member gives its share of draws, evenly thinned: the mixture has as many as the
        largest member.
        """
        names = list(self.members)
        total = max(len(parts[name]) for name in names)
        shares = whole_shares(np.array([self.weights[name] for name in names]), total)
        return np.concatenate(
            [
                parts[name][thinned(len(parts[name]), int(share))]
                for name, share in zip(names, shares, strict=True)
            ]
        )

    def predict(self, *, force: bool = False, **options: Any) -> Prediction:
        """Posterior of the loss at given resources, the law not known.

        Parameters
        ----------
        force
            Predict even where the gate refuses; the result is then marked.
        **options
            As for `Posterior.predict`: resources by name, ``noise``, ``drift``, ``seed``.

        Raises
        ------
        DiagnosticsRefused
            If the gate refuses a member that carries weight, and `force` is not given.
        UsageError
            If the resources are not those of every law.
        """
        self.diagnosis.require(force=force)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DiagnosticsWarning)  # once, below, not once a law
            parts = {n: post.predict(force=True, **options) for n, post in self.members.items()}
        first = next(iter(parts.values()))
        reach = self.judge_distance(first.points)
        reach.require(force=force)
        reach.warn(stacklevel=2)
        verdict = Diagnosis(self.diagnosis.refusals) + reach
        return replace(
            first,
            draws=self.mix({name: part.draws for name, part in parts.items()}),
            diagnosis=verdict,
        )

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {
            "by": self.by,
            "weights": dict(self.weights),
            "members": {name: post.to_dict() for name, post in self.members.items()},
            **self.verdict(),
        }
