"""What an engine is: from a model and its runs to posterior draws."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from bayescale.model import Model
from bayescale.runs import Runs

Progress = Callable[[str], None]
"""Called with a few words whenever an engine reaches a new stage."""


@dataclass(frozen=True)
class Draws:
    """Posterior draws of one engine.

    Parameters
    ----------
    coordinates
        Every coordinate and noise parameter, fixed ones included; arrays of shape (chain, draw).
    sample_stats
        ArviZ's names (``diverging``, ``energy``, ``tree_depth``, ...) -> arrays (chain, draw).
    facts
        Numbers about the computation as a whole, e.g. ``pareto_k``; goes into the attributes.
    """

    coordinates: Mapping[str, np.ndarray]
    sample_stats: Mapping[str, np.ndarray]
    facts: Mapping[str, Any] = field(default_factory=dict)


class AbstractEngine(ABC):
    """A way to draw from the posterior of a model."""

    name: ClassVar[str]
    markov_chain: ClassVar[bool]
    """Whether its draws are autocorrelated chains, to be judged by R-hat and ESS."""

    @abstractmethod
    def sample(
        self,
        model: Model,
        runs: Runs,
        *,
        draws: int | None,
        chains: int,
        seed: int,
        progress: Progress,
    ) -> Draws:
        """Draw from the posterior.

        Parameters
        ----------
        model
            Law, priors and likelihood.
        runs
            The observed table.
        draws
            Draws a chain; None leaves the number to the engine's own stopping rule.
        chains
            Number of chains.
        seed
            Seed of everything random in it.
        progress
            Told of each stage.
        """
