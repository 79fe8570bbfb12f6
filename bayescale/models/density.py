"""Log posterior density of a model on unconstrained coordinates.

The one density behind the engines, in JAX where it is differentiated or compiled and in NumPy
where it is evaluated once. Each coordinate is mapped from the real line
onto its prior's support; the Jacobian is in the density.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bayescale.distributions.families import FAMILIES
from bayescale.distributions.prior import Prior
from bayescale.distributions.support import Support
from bayescale.forked import require_unforked
from bayescale.models.model import Model
from bayescale.models.observations import Observations
from bayescale.models.priors import Priors
from theory.declaration.namespace import ArrayNamespace, Environment


class Numbers(NamedTuple):
    """The numbers of a model's priors as arrays, so that one program serves many tables.

    Parameters
    ----------
    log_pivot
        Logarithm of the pivot of each resource.
    arguments
        Arguments of each prior, by name.
    """

    log_pivot: Environment
    arguments: Mapping[str, Environment]

    @classmethod
    def of(cls, model: Model) -> "Numbers":
        """Those of a model."""
        arguments = {
            name: {key: np.float64(value) for key, value in prior.arguments.items()}
            for name, prior in model.priors.table.items()
        }
        return cls({n: np.float64(v) for n, v in model.priors.log_pivot.items()}, arguments)


def form_of(model: Model) -> Model:
    """The model with other numbers in its priors: what a compiled program depends on.

    All tables of one law, likelihood and families of priors have the same form, so that one program
    is compiled for them in a process; their own numbers are data (`Numbers`).
    """
    table = {name: _unit(prior) for name, prior in model.priors.table.items()}
    pivot = dict.fromkeys(model.priors.pivot, 1.0)
    return replace(model, priors=Priors(table, pivot, model.priors.bounds), drift=None)


def _unit(prior: Prior) -> Prior:
    """A prior of the same family with arguments 0 and 1."""
    if prior.is_fixed:
        return Prior.fixed(0.5)
    family = FAMILIES[prior.family]
    ones = {"upper", *family.positive}
    return Prior(prior.family, **{n: float(n in ones) for n in family.arguments})


@dataclass(frozen=True)
class Density:
    """Log posterior of a model on the real space of its free coordinates.

    Parameters
    ----------
    model
        Law, priors and likelihood.
    """

    model: Model

    def __post_init__(self) -> None:
        require_unforked()  # every engine comes by here before it computes

    @property
    def form(self) -> "Density":
        """What a compiled program depends on: the density of `form_of` the model.

        A pooled density keeps its own numbers, because on them depends where its groups scatter.
        """
        return self if self.model.pooling is not None else replace(self, model=form_of(self.model))

    @property
    def numbers(self) -> Numbers | None:
        """What a program compiled for the form takes beside it; None for a pooled density."""
        return None if self.model.pooling is not None else Numbers.of(self.model)

    @property
    def size(self) -> int:
        """Number of free coordinates."""
        return sum(prod(self.model.shapes[name]) for name in self.model.free)

    @cached_property
    def _places(self) -> dict[str, Any]:
        """Where each free site stands in a position: an index, or a slice for several."""
        places, start = {}, 0
        for name in self.model.free:
            shape = self.model.shapes[name]
            places[name] = slice(start, start + prod(shape)) if shape else start
            start += prod(shape)
        return places

    def _support(self, name: str, numbers: Numbers | None = None) -> Support:
        prior = self.model.priors.table[name]
        arguments = prior.arguments if numbers is None else numbers.arguments[name]
        return FAMILIES[prior.family].support(**arguments)

    def constrain(
        self, position: Any, ops: ArrayNamespace = np, numbers: Numbers | None = None
    ) -> dict[str, Any]:
        """What is sampled, free and fixed, at positions (..., coordinate).

        Returns
        -------
        dict
            Arrays of shape (...), and (..., group) for offsets, by name.
        """
        free = {
            name: self._support(name, numbers).from_real(position[..., place], ops)
            for name, place in self._places.items()
        }
        held = self.model.fixed
        if numbers is not None:
            held = {name: numbers.arguments[name]["value"] for name in held}
        fixed = {n: ops.full(position.shape[:-1], v) for n, v in held.items()}
        return {name: (free | fixed)[name] for name in self.model.priors.table}

    def unconstrain(self, coordinates: Environment, ops: ArrayNamespace = np) -> Any:
        """Positions (..., coordinate) of given coordinates."""
        columns = []
        for name in self.model.free:
            real = self._support(name).to_real(coordinates[name], ops)
            columns.append(real if self.model.shapes[name] else real[..., None])
        return ops.concatenate(columns, axis=-1)

    def log_density(
        self,
        position: Float[Array | np.ndarray, "*batch coordinate"],
        observed: Observations,
        ops: ArrayNamespace = jnp,
        numbers: Numbers | None = None,
    ) -> Float[Array | np.ndarray, "*batch"]:
        """Log posterior density, up to the evidence, with the Jacobian of the bijections."""
        sites = self.constrain(position, ops, numbers)
        return self.log_likelihood(sites, observed, ops, numbers).sum(-1) + self.log_prior(
            position, sites, ops, numbers
        )

    def log_prior(
        self,
        position: Float[Array | np.ndarray, "*batch coordinate"],
        sites: Environment,
        ops: ArrayNamespace = jnp,
        numbers: Numbers | None = None,
    ) -> Any:
        """Log prior density at a position, with the Jacobian of the bijections."""
        total: Any = 0.0
        for name, place in self._places.items():
            prior = self.model.priors.table[name]
            arguments = prior.arguments if numbers is None else numbers.arguments[name]
            part = FAMILIES[prior.family].log_density(sites[name], ops, **arguments)
            part += self._support(name, numbers).log_jacobian(position[..., place], ops)
            total += part.sum(-1) if self.model.shapes[name] else part
        return total

    def log_likelihood(
        self,
        sites: Environment,
        observed: Observations,
        ops: ArrayNamespace = jnp,
        numbers: Numbers | None = None,
    ) -> Float[Array | np.ndarray, "*batch run"]:
        """Log likelihood of each run, given the runs before it where they depend on each other.

        Parameters
        ----------
        sites
            What `constrain` gives.
        observed
            The runs.
        ops, numbers
            See `log_density`.
        """
        # One axis more than the batch, along which the runs are.
        columns = {
            name: value if self.model.shapes[name] else ops.asarray(value)[..., None]
            for name, value in sites.items()
        }
        log_pivot = None if numbers is None else numbers.log_pivot
        noise = self.model.noise(columns, observed, ops, log_pivot)
        found = noise.log_density(observed.log_loss, ops)
        return found if observed.weight is None else found * observed.weight
