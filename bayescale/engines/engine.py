"""What an engine is: from a model and its runs to posterior draws."""

from abc import ABC, abstractmethod
from typing import ClassVar

from bayescale.models.draws import Draws
from bayescale.models.model import Model
from bayescale.progress import Progress
from bayescale.runs.table import Runs


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
