"""A posterior beyond its runs: the loss of its law with what that may be wrong by there."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float

from bayescale.models.drift import Drifts, beyond, largest_product, tilted
from bayescale.models.model import Model
from theory.declaration.abstract_law import AbstractLaw
from theory.declaration.symbols import D, N


class Drifting:
    """The part of `Posterior` that knows the drift of its draws (`bayescale.models.drift`)."""

    law: AbstractLaw
    model: Model | None
    seed: int
    count: int
    sizes: list[str]
    seen: Mapping[str, np.ndarray] | None
    columns: Mapping[str, np.ndarray]
    noise_draws: Mapping[str, np.ndarray]

    @cached_property
    def drifts(self) -> Drifts | None:
        """The drift of every draw; None for a model without one and for draws made elsewhere."""
        if self.model is None or self.model.drift is None or self.seen is None:
            return None
        return self.model.drift.draw(self.model.likelihood.scale(self.noise_draws), self.seed)

    @property
    def tilt(self) -> tuple[Float[np.ndarray, "draw 1"], float]:
        """Tilt of every draw, and the log product of sizes beyond which it acts.

        See `bayescale.models.drift.tilted`; zeros where there is none.
        """
        if self.drifts is None or self.seen is None or set(self.sizes) != {N.name, D.name}:
            return np.zeros((self.count, 1)), 0.0
        return self.drifts.tilt, largest_product(self.seen, self.sizes)

    def log_law(
        self, log_resources: Mapping[str, Any], *, tilt: bool = True
    ) -> Float[np.ndarray, "draw point"]:
        """Log loss of every draw's law.

        Parameters
        ----------
        log_resources
            Logarithm of each resource by name; arrays that broadcast to (draw, point).
        tilt
            Move the ratio of sizes beyond the runs as each draw's drift does.
        """
        at = tilted(log_resources, self.sizes, *self.tilt, np) if tilt else log_resources
        return self.law.log_loss(self.columns, at, np)

    def log_drift(self, log_resources: Mapping[str, Any]) -> Any:
        """Random slope of log loss beyond the runs, draw by draw: see `bayescale.models.drift`.

        Parameters
        ----------
        log_resources
            Logarithm of each size by name; arrays that broadcast to (draw, point).

        Returns
        -------
        Array (draw, point); 0.0 for a model without drift and for draws made elsewhere.
        """
        if self.drifts is None or self.seen is None:
            return 0.0
        return self.drifts.slope * beyond(self.seen, log_resources, self.sizes)

    def log_scatter(self, log_resources: Mapping[str, Any], rng: np.random.Generator) -> Any:
        """Scatter of single runs beyond those that were fitted, more than their noise.

        Parameters
        ----------
        log_resources
            As for `log_drift`.
        rng
            Draws it: each run has its own.

        Returns
        -------
        Array (draw, point); 0.0 as for `log_drift`.
        """
        if self.drifts is None or self.seen is None:
            return 0.0
        spread = self.drifts.own * beyond(self.seen, log_resources, self.sizes)
        return spread * rng.standard_normal(spread.shape)
