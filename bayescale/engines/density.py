"""Log posterior density of a model on unconstrained coordinates.

The one density behind the engines, in JAX where it is differentiated or compiled and in NumPy
where it is evaluated once. Each coordinate is mapped from the real line
onto its prior's support; the Jacobian is in the density.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bayescale.family import FAMILIES
from bayescale.model import Model
from bayescale.runs import Runs
from bayescale.support import Support

Observations = tuple[dict[str, Any], Any]
"""Log resources by name, and log loss; arrays of shape (run,)."""


def observations(model: Model, runs: Runs) -> Observations:
    """What the likelihood needs of a table: log resources and log loss, float64."""
    names = [resource.name for resource in model.law.resources]
    return {name: np.log(runs.column(name)) for name in names}, np.log(runs.loss)


@dataclass(frozen=True)
class Density:
    """Log posterior of a model on the real space of its free coordinates.

    Parameters
    ----------
    model
        Law, priors and likelihood.
    """

    model: Model

    @property
    def size(self) -> int:
        """Number of free coordinates."""
        return len(self.model.free)

    def _support(self, name: str) -> Support:
        prior = self.model.priors.table[name]
        return FAMILIES[prior.family].support(**prior.arguments)

    def constrain(self, position: Any, ops: ModuleType = np) -> dict[str, Any]:
        """Coordinates and noise parameters, free and fixed, at positions (..., coordinate)."""
        free = {
            name: self._support(name).from_real(position[..., i], ops)
            for i, name in enumerate(self.model.free)
        }
        fixed = {n: ops.full(position.shape[:-1], v) for n, v in self.model.fixed.items()}
        return {name: (free | fixed)[name] for name in self.model.priors.table}

    def unconstrain(self, coordinates: Mapping[str, Any], ops: ModuleType = np) -> Any:
        """Positions (..., coordinate) of given coordinates."""
        columns = [self._support(n).to_real(coordinates[n], ops) for n in self.model.free]
        return ops.stack(columns, axis=-1)

    def log_density(
        self,
        position: Float[Array | np.ndarray, "*batch coordinate"],
        observed: Observations,
        ops: ModuleType = jnp,
    ) -> Float[Array | np.ndarray, "*batch"]:
        """Log posterior density, up to the evidence, with the Jacobian of the bijections."""
        # One axis more than the batch, along which the runs are.
        coordinates = self.constrain(position[..., None, :], ops)
        total = self.log_likelihood(coordinates, observed, ops).sum(-1)
        for i, name in enumerate(self.model.free):
            prior = self.model.priors.table[name]
            value = coordinates[name][..., 0]
            total += FAMILIES[prior.family].log_density(value, ops, **prior.arguments)
            total += self._support(name).log_jacobian(position[..., i], ops)
        return total

    def log_likelihood(
        self, coordinates: Mapping[str, Any], observed: Observations, ops: ModuleType = jnp
    ) -> Float[Array | np.ndarray, "*batch run"]:
        """Log likelihood of each run; coordinates are scalars or of shape (..., 1)."""
        log_resources, log_loss = observed
        model = self.model
        mean = model.law.log_loss(model.parameters(coordinates, ops), log_resources, ops)
        noise = model.likelihood.noise(mean, coordinates)
        return FAMILIES[noise.family].log_density(log_loss, ops, **noise.arguments)
