"""One posterior or a stack of several: what planning asks of both."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Float

from bayescale.diagnosis import Diagnosis
from bayescale.posteriors.posterior import Posterior
from bayescale.posteriors.stack import Stack
from theory.declaration.law import AbstractLaw

CARRIES = 0.001
"""A law of a stack with less weight is not asked for its diagnostics."""

Source = Posterior | Stack

Piece = tuple[AbstractLaw, Mapping[str, np.ndarray]]
"""A law, and its parameters as `AbstractLaw.log_loss` takes them, (draw,)."""


def members(source: Source) -> Mapping[str, Posterior]:
    """Posteriors by name; of one posterior, itself by its law's name."""
    return source.members if isinstance(source, Stack) else {source.law.name: source}


def weights(source: Source) -> Mapping[str, float]:
    """Weight of each member."""
    return source.weights if isinstance(source, Stack) else {source.law.name: 1.0}


def mix(source: Source, parts: Mapping[str, np.ndarray]) -> np.ndarray:
    """Draws of the mixture from draws of the members, (draw, ...) each."""
    return source.choose(parts) if isinstance(source, Stack) else next(iter(parts.values()))


def carried(source: Source, diagnoses: Mapping[str, Diagnosis]) -> Diagnosis:
    """The verdicts on members that carry weight, each reason with its law in a stack."""
    if not isinstance(source, Stack):
        return next(iter(diagnoses.values()))
    total = Diagnosis()
    for name, one in diagnoses.items():
        if source.weights[name] > CARRIES:
            total += Diagnosis(
                tuple(f"{name}: {reason}" for reason in one.refusals),
                tuple(f"{name}: {reason}" for reason in one.warnings),
            )
    return total


def pieces(source: Source) -> list[Piece]:
    """Each law with those of its draws that the mixture holds, in the order of `mix`."""
    posts = members(source)
    counts = {name: _count(post) for name, post in posts.items()}
    starts = dict(zip(counts, np.cumsum([0, *counts.values()]).tolist(), strict=False))
    numbered = {name: starts[name] + np.arange(count) for name, count in counts.items()}
    kept = mix(source, numbered)
    out = []
    for name, post in posts.items():
        own = kept[(kept >= starts[name]) & (kept < starts[name] + counts[name])] - starts[name]
        if own.size:
            out.append((post.law, {n: a[own] for n, a in post.log_parameters.items()}))
    return out


def columns(posterior: Posterior) -> dict[str, Float[np.ndarray, "draw 1"]]:
    """Parameters of a law, as `AbstractLaw.log_loss` takes them, as columns."""
    return {name: array[:, None] for name, array in posterior.log_parameters.items()}


def runs_of(source: Source) -> pd.DataFrame | None:
    """The runs that were fitted; of a stack, those of its first member."""
    return next(iter(members(source).values())).runs


def _count(posterior: Posterior) -> int:
    return len(next(iter(posterior.log_parameters.values())))
