"""What a noise model is: a distribution of log loss around the law, given as data."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from bayescale.distributions.prior import Prior
from bayescale.models.noise import Noise
from bayescale.models.observations import Observations
from bayescale.runs.table import Runs
from theory.declaration.namespace import ArrayNamespace, Environment, Numeric

OUTLYING = 3.0
"""A run is an outlier when its own noise scale, or where the noise model gives a run none its
realised error, exceeds this many times the common scale."""


SIGMA = Prior.around(0.01, 1.0)
"""Scale of the log residual, i.e. about the relative error of a loss."""

NU = Prior("Gamma", alpha=2, beta=0.1)
"""Degrees of freedom (Juarez and Steel 2010)."""


@dataclass(frozen=True)
class AbstractLikelihood(ABC):
    """The distribution of the log loss of a run around the law's log loss.

    The fields of a subclass are its options, as plain data: they are saved with a posterior.

    What the rest of the package asks of a noise model is declared here and in `Noise`; its
    parameters may have any names. Residuals and drift are measured in units of the parameter that
    `scale_name` names, and groups of runs may differ in it.
    """

    name: ClassVar[str]

    scale_name: ClassVar[str] = "sigma"
    """Parameter that is the scale of log residuals, about the relative error of a loss."""

    dependent: ClassVar[bool] = False
    """Whether the distribution of a row depends on the losses of earlier rows."""

    @abstractmethod
    def priors(self) -> dict[str, Prior]:
        """Default priors of the noise parameters, by name."""

    @abstractmethod
    def noise(
        self, log_loss: Numeric, parameters: Environment, rows: Observations, ops: ArrayNamespace
    ) -> Noise:
        """Distribution of observed log loss.

        Parameters
        ----------
        log_loss
            The law's log loss, shape (..., run).
        parameters
            Noise parameters by name; they broadcast with it.
        rows
            The runs. Where `rows.log_loss` is None they are new ones, of which nothing is known
            but their resources.
        ops
            Array namespace.
        """

    def scale(self, parameters: Environment) -> Any:
        """Scale of log residuals at given noise parameters, in the shape in which they come."""
        return parameters[self.scale_name]

    def scaled_to(self, pivot: Mapping[str, float]) -> "AbstractLikelihood":
        """The same noise model with what it takes from the scale of the runs filled in."""
        return self

    def columns(self, runs: Runs) -> dict[str, np.ndarray]:
        """What the noise model reads of a table beside resources and loss: arrays (run,).

        Raises
        ------
        RunsError
            If the table lacks it.
        """
        return {}

    def outlier_probability(self, noise: Noise, log_loss: np.ndarray) -> np.ndarray:
        """Probability that each run is an outlier, given the draw; arrays (draw, run).

        A Student-t error is Normal with a variance of its own, ``sigma^2/lambda`` with ``lambda ~
        Gamma(nu/2, nu/2)`` (West 1984). Given the error, ``lambda ~ Gamma((nu+1)/2, (nu+z^2)/2)``,
        and an outlier is a run whose own scale exceeds three times that of the middle half of the
        runs (of a Normal with the quartiles of the Student-t, because sigma itself shrinks as nu
        does). This is smooth in the error, so that runs are ranked even where each of them lies
        beyond any threshold. For a Normal error it is 1 where the realised error exceeds three
        sigma and 0 elsewhere, whose mean over draws is the posterior probability of Chaloner and
        Brant (1988).
        """
        from scipy.special import gammainc

        squared = ((log_loss - noise.location) / noise.scale) ** 2
        nu = noise.degrees_of_freedom
        if nu is None:
            return (squared > OUTLYING**2).astype(np.float64)
        return gammainc(0.5 * (nu + 1.0), 0.5 * (nu + squared) * least_precision(nu))

    def expected_outliers(self, noise: Noise) -> float:
        """Fraction of runs expected to be outliers if the model is right."""
        from scipy.special import gammainc, ndtr

        nu = noise.degrees_of_freedom
        if nu is None:
            return float(2.0 * ndtr(-OUTLYING))
        return float(np.mean(gammainc(0.5 * nu, 0.5 * nu * least_precision(nu))))

    def information(self, noise: Noise) -> Any:
        """Fisher information of the log loss of one run about its location.

        ``1/sigma^2`` of a Normal, ``(nu + 1)/((nu + 3) sigma^2)`` of a Student-t (Lange, Little and
        Taylor 1989, appendix B); arrays as the arguments of the noise broadcast.
        """
        nu = noise.degrees_of_freedom
        share = 1.0 if nu is None else (nu + 1.0) / (nu + 3.0)
        return share / noise.scale**2

    def to_dict(self) -> dict[str, Any]:
        """Name and options as plain data."""
        return {"name": self.name, **asdict(self)}


def least_precision(nu: Any) -> Any:
    """Below this precision, relative to ``1/sigma^2``, a run's own scale is outlying."""
    from scipy.special import ndtri, stdtrit

    return (ndtri(0.75) / stdtrit(nu, 0.75) / OUTLYING) ** 2


def student_t(log_loss: Numeric, sigma: Any, parameters: Environment) -> Noise:
    """Student-t around the law's log loss with a given scale."""
    return Noise("StudentT", {"nu": parameters["nu"], "mu": log_loss, "sigma": sigma})
