"""The distribution of log loss at rows, as data: a family and its arguments.

What a reader may ask of it stands here, so that no one reads an argument by its name: which of the
arguments is the location, which the scale, and how heavy the tails are, the family declares
(`bayescale.distributions.families`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayescale.distributions.families import FAMILIES, Family
from theory.declaration.namespace import ArrayNamespace, Numeric


@dataclass(frozen=True)
class Noise:
    """A distribution with array-valued arguments.

    Parameters
    ----------
    family
        Name in `FAMILIES`, of one that declares a location and a scale.
    arguments
        The family's arguments; arrays that broadcast with (..., run).
    """

    family: str
    arguments: Mapping[str, Any]

    @property
    def declared(self) -> Family:
        """The family itself."""
        return FAMILIES[self.family]

    @property
    def location(self) -> Any:
        """Location of log loss."""
        return self.arguments[self.declared.location]

    @property
    def scale(self) -> Any:
        """Scale of log loss."""
        return self.arguments[self.declared.scale]

    @property
    def degrees_of_freedom(self) -> Any:
        """Degrees of freedom of Student-t tails; None where the tails are Gaussian."""
        return self.arguments[self.declared.tail] if self.declared.tail else None

    @property
    def is_probability(self) -> bool:
        """Whether the density is the probability of an interval, and not a density at a point."""
        return self.declared.is_probability

    def log_density(self, log_loss: Numeric, ops: ArrayNamespace) -> Any:
        """Log density of log loss, or log probability of its interval."""
        return self.declared.log_density(log_loss, ops, **self.arguments)

    def shifted(self, amount: Numeric) -> "Noise":
        """The same noise around a location that is moved by `amount`."""
        return Noise(
            self.family, {**self.arguments, self.declared.location: self.location + amount}
        )

    def broadcast(self, shape: tuple[int, ...], rows: Any = slice(None)) -> "Noise":
        """The noise with every argument of a shape, at some rows of its last axis."""
        whole = {name: np.broadcast_to(v, shape)[..., rows] for name, v in self.arguments.items()}
        return Noise(self.family, whole)

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Draw with NumPy; the arguments broadcast to `shape`."""
        from scipy import stats

        frozen = self.declared.scipy(stats, **self.arguments)
        return np.asarray(frozen.rvs(size=shape, random_state=rng))
