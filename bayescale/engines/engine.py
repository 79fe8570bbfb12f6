"""What an engine is: from a model and its runs to posterior draws."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from bayescale.models.draws import Draws
from bayescale.models.model import Model
from bayescale.progress import Progress, silent
from bayescale.runs.table import Runs


@dataclass(frozen=True)
class Sampling:
    """How much to draw, and from which seed.

    Parameters
    ----------
    draws
        Draws a chain; None leaves the number to the engine's own stopping rule.
    chains
        Number of chains.
    seed
        Seed of everything random in it.
    progress
        Told of each stage.
    """

    draws: int | None = None
    chains: int = 4
    seed: int = 0
    progress: Progress = silent

    @property
    def judged(self) -> bool:
        """Whether chains go on until they agree: not where their length was asked for."""
        return self.draws is None and self.chains > 1


class AbstractEngine(ABC):
    """A way to draw from the posterior of a model, of one group of runs or of several.

    To add one, put a file with a class ``Engine`` into `bayescale.engines.samplers`.
    """

    meaning: ClassVar[str]
    """What it does, in a few words for help texts."""
    packages: ClassVar[tuple[str, ...]]
    """Distributions whose versions belong into the record of its draws."""

    @abstractmethod
    def sample(self, model: Model, runs: Runs, sampling: Sampling) -> Draws:
        """Draw from the posterior.

        Parameters
        ----------
        model
            Law, priors and likelihood; where ``model.pooling`` is set, of several groups.
        runs
            The observed table.
        sampling
            How much, and from which seed.

        Raises
        ------
        DiagnosticsRefused
            If the engine finds nothing to draw from.
        """
