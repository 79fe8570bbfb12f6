"""A fraction of runs has gross errors, of either sign, beside the noise of the others."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from bayescale.distributions.prior import Prior
from bayescale.models.likelihood import NU, SIGMA, AbstractLikelihood, least_precision, student_t
from bayescale.models.noise import Noise
from bayescale.models.observations import Observations
from theory.declaration.namespace import ArrayNamespace, Environment, Numeric

FRACTION = Prior("Beta", alpha=1, beta=19)
"""Probability that a run has a gross error: one in twenty before any is seen."""

GROSS = Prior.around(0.3, 1.0)
"""Scale of gross errors of log loss: within an e-fold of 0.3, whatever the noise of good runs."""


@final
@dataclass(frozen=True)
class GrossErrors(AbstractLikelihood):
    """Student-t noise, and in a fraction of the runs a gross error of either sign.

    ``log loss ~ (1 - fraction) StudentT(nu, log L, sigma) + fraction Normal(log L, wide)`` with
    ``wide^2 = sigma^2 + gross^2``: the gross error model (Huber 1964; Box and Tiao 1968). Of a
    plain Student-t, gross errors make nu fall, and with it the weight of every good run changes;
    here they belong to a part of their own, and the fit is that of the table without them.
    """

    name = "gross_errors"

    def priors(self) -> dict[str, Prior]:
        """``fraction ~ Beta(1, 19)``, ``gross ~ LogNormal(ln 0.3, 1)``; others as for Student-t."""
        return {"sigma": SIGMA, "nu": NU, "fraction": FRACTION, "gross": GROSS}

    def noise(
        self, log_loss: Numeric, parameters: Environment, rows: Observations, ops: ArrayNamespace
    ) -> Noise:
        """Student-t around the law's log loss, mixed with a wide Normal."""
        names = ("nu", "sigma", "fraction", "gross")
        return Noise("GrossErrors", {"mu": log_loss, **{n: parameters[n] for n in names}})

    def outlier_probability(self, noise: Noise, log_loss: np.ndarray) -> np.ndarray:
        """Probability that the run's own noise scale is outlying, given the draw.

        The scale is that of gross errors, or that of a Student-t error: both are compared with the
        middle half of the good runs, as in `AbstractLikelihood.outlier_probability`.
        """
        gross = gross_probability(noise, log_loss)
        others = super().outlier_probability(_good(noise), log_loss)
        return gross * _is_outlying(noise) + (1.0 - gross) * others

    def expected_outliers(self, noise: Noise) -> float:
        """Gross errors where these are outlying, and outliers among the other runs."""
        fraction = noise.arguments["fraction"]
        others = (1.0 - float(np.mean(fraction))) * super().expected_outliers(_good(noise))
        return float(np.mean(fraction * _is_outlying(noise))) + others

    def information(self, noise: Noise) -> Any:
        """Fisher information ``int p'^2/p`` about the location, by the trapezoidal rule.

        The score is the mean of those of both parts, weighted by their probabilities.
        """
        names = ("nu", "sigma", "fraction", "gross")
        arguments = np.broadcast_arrays(*(noise.arguments[name] for name in names))
        nu, sigma, fraction, gross = (argument[..., None] for argument in arguments)
        at = {"nu": nu, "sigma": sigma, "fraction": fraction, "gross": gross, "mu": 0.0}
        centred = Noise(noise.family, at)
        wide = np.hypot(sigma, gross)
        # Evenly spaced near zero and in the logarithm beyond one sigma.
        place = np.linspace(0.0, 1.0, POINTS) * np.arcsinh(FARTHEST * wide / sigma)
        x = sigma * np.sinh(place)
        z = x / sigma
        other = gross_probability(centred, x)
        score = (1.0 - other) * (nu + 1.0) * z / (nu + z**2) / sigma + other * x / wide**2
        density = np.exp(centred.log_density(x, np))
        return 2.0 * np.trapezoid(score**2 * density * sigma * np.cosh(place), place, axis=-1)


POINTS, FARTHEST = 401, 10.0
"""Points of the integral of the information, on either side; where it ends, in wide scales."""


def gross_probability(noise: Noise, log_loss: np.ndarray) -> np.ndarray:
    """Probability that the error of a run is gross, given the draw."""
    from bayescale.distributions.families import gross_error_parts

    good, gross = gross_error_parts(log_loss, np, **noise.arguments)
    return np.exp(gross - np.logaddexp(good, gross))


def _is_outlying(noise: Noise) -> Any:
    """Whether the scale of gross errors is outlying among the good runs."""
    sigma, gross = noise.scale, noise.arguments["gross"]
    return sigma**2 / (sigma**2 + gross**2) < least_precision(noise.degrees_of_freedom)


def _good(noise: Noise) -> Noise:
    """Noise of the runs without a gross error."""
    return student_t(noise.location, noise.scale, {"nu": noise.degrees_of_freedom})
