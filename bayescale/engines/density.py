"""Log posterior density of a model on unconstrained coordinates, in JAX.

The one density behind NUTS and the Laplace approximation: priors and likelihood are translated to
`numpyro.distributions` through `bayescale.prior.FAMILIES`, and each coordinate is mapped from the
real line by the bijection that its prior's support asks for, with its Jacobian.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jaxtyping import Array, Float
from numpyro.distributions.transforms import Transform, biject_to

from bayescale.model import Model
from bayescale.prior import FAMILIES
from bayescale.runs import Runs

Observations = tuple[dict[str, Any], Any]
"""Log resources by name, and log loss; arrays of shape (run,)."""


def distribution(family: str, arguments: Mapping[str, Any]) -> dist.Distribution:
    """A NumPyro distribution from a family name and its canonical arguments."""
    name, keywords = FAMILIES[family].numpyro
    spelt = zip(FAMILIES[family].arguments, keywords, strict=True)
    return getattr(dist, name)(**{keyword: arguments[argument] for argument, keyword in spelt})


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

    # Made anew in every trace: NumPyro's distributions hold JAX arrays, which must not outlive one.
    @property
    def _priors(self) -> dict[str, dist.Distribution]:
        table = self.model.priors.table
        return {n: distribution(table[n].family, table[n].arguments) for n in self.model.free}

    @property
    def _bijections(self) -> dict[str, Transform]:
        return {name: biject_to(prior.support) for name, prior in self._priors.items()}

    def constrain(self, position: Any) -> dict[str, Any]:
        """Coordinates and noise parameters, free and fixed, at positions (..., coordinate)."""
        moved = {
            name: self._bijections[name](position[..., i])
            for i, name in enumerate(self.model.free)
        }
        fixed = {n: jnp.full(position.shape[:-1], v) for n, v in self.model.fixed.items()}
        return moved | fixed

    def unconstrain(self, coordinates: Mapping[str, Any]) -> Any:
        """Positions (..., coordinate) of given coordinates."""
        columns = [self._bijections[n].inv(jnp.asarray(coordinates[n])) for n in self.model.free]
        return jnp.stack(columns, axis=-1)

    def log_density(
        self, position: Float[Array, " coordinate"], observed: Observations
    ) -> Float[Array, ""]:
        """Log posterior density, up to the evidence, with the Jacobian of the bijections."""
        coordinates = self.constrain(position)
        total = self.log_likelihood(coordinates, observed).sum()
        for i, name in enumerate(self.model.free):
            bijection, here = self._bijections[name], coordinates[name]
            total += self._priors[name].log_prob(here)
            total += bijection.log_abs_det_jacobian(position[i], here)
        return total

    def log_likelihood(
        self, coordinates: Mapping[str, Any], observed: Observations
    ) -> Float[Array, " run"]:
        """Log likelihood of each run at one set of coordinates."""
        log_resources, log_loss = observed
        model = self.model
        mean = model.law.log_loss(model.parameters(coordinates, jnp), log_resources, jnp)
        noise = model.likelihood.noise(mean, coordinates)
        return distribution(noise.family, noise.arguments).log_prob(log_loss)
