"""A mixture of posteriors of one table: predicts and plans with the uncertainty of the form."""

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import xarray as xr

from bayescale.diagnosis import Diagnosis
from bayescale.errors import DiagnosticsWarning, PosteriorFileError
from bayescale.models.thinning import thinned, whole_shares
from bayescale.posteriors.abstract import AbstractPosterior
from bayescale.posteriors.described import described
from bayescale.posteriors.file import read_posterior, require_kind, write_posterior
from bayescale.posteriors.posterior import Posterior, posterior_of
from bayescale.posteriors.prediction import Prediction
from theory.declaration.abstract_law import AbstractLaw

KIND = "stack"
"""What a saved stack calls itself."""

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
    def figure(self) -> str:
        """The kind of figure that `plot` draws by default."""
        return "frontier"

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
            origin=self.origin,
        )

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {
            "by": self.by,
            "weights": dict(self.weights),
            "members": {name: post.to_dict() for name, post in self.members.items()},
            **self.verdict(),
        }

    def save(self, path: str | os.PathLike) -> Path:
        """Write all members with their weights to one netCDF file, whole or not at all.

        Raises
        ------
        UsageError
            If a member's draws came without a model.
        OutputError
            If the file cannot be written.
        """
        members = [
            {"name": name, **described(post.model, post.diagnosis, post.record)}
            for name, post in self.members.items()
        ]
        told = {
            "kind": KIND,
            "by": self.by,
            "weights": dict(self.weights),
            "scores": self.scores.to_dict(orient="split"),
            "members": members,
        }
        groups = {_group(i): post.data for i, post in enumerate(self.members.values())}
        return write_posterior(xr.DataTree(children=groups), told, Path(path))

    @classmethod
    def load(
        cls, path: str | os.PathLike, *, laws: Mapping[str, AbstractLaw] | None = None
    ) -> "Stack":
        """Read what `save` wrote; the result predicts and plans identically.

        Parameters
        ----------
        path
            The netCDF file.
        laws
            Member -> its law, for those whose law is not one of the catalogue.

        Raises
        ------
        PosteriorFileError
            If the file is missing, damaged, of a newer version, of another law, or no stack.
        """
        source = Path(path)
        data, about = read_posterior(source)
        require_kind(about, KIND, source)
        return stack_of(data, about, source, laws or {})


def stack_of(
    data: xr.DataTree, about: Mapping[str, Any], source: Path, laws: Mapping[str, AbstractLaw]
) -> Stack:
    """Stack of draws, and of what a file says of them; see `Stack.load`."""
    try:
        groups = {one["name"]: data[_group(i)] for i, one in enumerate(about["members"])}
        members = {
            one["name"]: posterior_of(
                cast(xr.DataTree, groups[one["name"]]).copy(), one, source, laws.get(one["name"])
            )
            for one in about["members"]
        }
        scores = pd.DataFrame(**about["scores"]).rename_axis("law")
        weights = {name: float(about["weights"][name]) for name in members}
        return Stack(members, weights, scores, str(about["by"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, PosteriorFileError):
            raise
        raise PosteriorFileError(
            f"'{source}' cannot be used: what it says of its members is damaged; stack again."
        ) from error


def _group(index: int) -> str:
    """Group of the file that holds a member."""
    return f"member_{index}"
