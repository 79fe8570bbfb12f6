"""Noise models: the distribution of log loss around the law.

A likelihood names its own parameters with their priors and says, as data, how log loss is
distributed; the engines translate that through `bayescale.prior.FAMILIES`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

from bayescale.errors import UsageError
from bayescale.prior import Prior
from theory.errors import did_you_mean


@dataclass(frozen=True)
class Noise:
    """A distribution with array-valued arguments: a family of `FAMILIES` and its arguments."""

    family: str
    arguments: Mapping[str, Any]


class AbstractLikelihood(ABC):
    """The distribution of the log loss of a run around the law's log loss."""

    name: ClassVar[str]

    @abstractmethod
    def priors(self) -> dict[str, Prior]:
        """Default priors of the noise parameters, by name."""

    @abstractmethod
    def noise(self, log_loss: Any, parameters: Mapping[str, Any]) -> Noise:
        """Distribution of observed log loss.

        Parameters
        ----------
        log_loss
            The law's log loss, shape (run,) or anything the parameters broadcast with.
        parameters
            Noise parameters by name.
        """


@final
@dataclass(frozen=True)
class StudentT(AbstractLikelihood):
    """``log loss ~ StudentT(nu, log L, sigma)`` with scale and degrees of freedom learned.

    A handful of gross outliers then costs a few units of log likelihood each instead of moving
    the fit. ``sigma`` is the scale of the log residual, i.e. about the relative error of a loss.
    """

    name = "studentt"

    def priors(self) -> dict[str, Prior]:
        """``sigma ~ LogNormal(ln 0.01, 1)``, ``nu ~ Gamma(2, 0.1)`` (Juarez and Steel 2010)."""
        return {"sigma": Prior.around(0.01, 1.0), "nu": Prior("Gamma", alpha=2, beta=0.1)}

    def noise(self, log_loss: Any, parameters: Mapping[str, Any]) -> Noise:
        """Student-t around the law's log loss."""
        return Noise(
            "StudentT", {"nu": parameters["nu"], "mu": log_loss, "sigma": parameters["sigma"]}
        )


@final
@dataclass(frozen=True)
class Normal(AbstractLikelihood):
    """``log loss ~ Normal(log L, sigma)``; one gross outlier moves the whole fit."""

    name = "normal"

    def priors(self) -> dict[str, Prior]:
        """``sigma ~ LogNormal(ln 0.01, 1)``."""
        return {"sigma": Prior.around(0.01, 1.0)}

    def noise(self, log_loss: Any, parameters: Mapping[str, Any]) -> Noise:
        """Normal around the law's log loss."""
        return Noise("Normal", {"mu": log_loss, "sigma": parameters["sigma"]})


LIKELIHOODS: dict[str, type[AbstractLikelihood]] = {
    kind.name: kind for kind in AbstractLikelihood.__subclasses__()
}
"""Every likelihood of this module, by name."""


def get(likelihood: str | AbstractLikelihood) -> AbstractLikelihood:
    """A likelihood from its name.

    Raises
    ------
    UsageError
        If there is none of that name.
    """
    if isinstance(likelihood, AbstractLikelihood):
        return likelihood
    if likelihood not in LIKELIHOODS:
        raise UsageError(
            f"no likelihood called '{likelihood}'.{did_you_mean(likelihood, LIKELIHOODS)}"
        )
    return LIKELIHOODS[likelihood]()
