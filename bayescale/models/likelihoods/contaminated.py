"""A fraction of runs lies above the law, never below."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from bayescale.distributions.prior import Prior
from bayescale.models.likelihood import SIGMA, AbstractLikelihood
from bayescale.models.noise import Noise
from bayescale.models.observations import Observations
from theory.declaration.namespace import ArrayNamespace, Environment, Numeric


@final
@dataclass(frozen=True)
class Contaminated(AbstractLikelihood):
    """A fraction of runs lies above the law, never below: undertuned or diverged ones.

    ``log loss = log L + sigma e + b x`` with ``e ~ Normal(0, 1)``, ``b ~ Bernoulli(fraction)``
    and ``x ~ Exponential(mean excess)``; the sum over b is taken in closed form.
    """

    name = "contaminated"

    def priors(self) -> dict[str, Prior]:
        """``fraction ~ Beta(1, 4)``, ``excess ~ LogNormal(ln 0.05, 1)``, ``sigma`` as ever."""
        return {
            "sigma": SIGMA,
            "fraction": Prior("Beta", alpha=1, beta=4),
            "excess": Prior.around(0.05, 1.0),
        }

    def noise(
        self, log_loss: Numeric, parameters: Environment, rows: Observations, ops: ArrayNamespace
    ) -> Noise:
        """Normal with an exponential tail on one side."""
        names = ("sigma", "fraction", "excess")
        return Noise("Contaminated", {"mu": log_loss, **{n: parameters[n] for n in names}})

    def outlier_probability(self, noise: Noise, log_loss: np.ndarray) -> np.ndarray:
        """Probability that the run is one of the contaminated."""
        from bayescale.distributions.families import contaminated_parts

        clean, excess = contaminated_parts(log_loss, np, **noise.arguments)
        return np.exp(excess - np.logaddexp(clean, excess))

    def information(self, noise: Noise) -> Any:
        """Fisher information ``int p'^2/p`` about the location, by the trapezoidal rule."""
        rest = (noise.arguments[name] for name in ("fraction", "excess"))
        sigma, fraction, excess = np.broadcast_arrays(noise.scale, *rest)
        one = np.append(np.linspace(-8.0, 8.0, 801), np.linspace(0.0, 1.0, 401)[1:])
        far = np.where(np.arange(one.size) > 800, 30.0 * one, 0.0)
        near = np.where(np.arange(one.size) > 800, 8.0, one)
        x = near * sigma[..., None] + far * excess[..., None]
        at = {"sigma": sigma[..., None], "fraction": fraction[..., None]}
        centred = Noise(noise.family, {"mu": 0.0, "excess": excess[..., None], **at})
        step = 1e-4 * sigma[..., None]
        density, ahead, behind = (
            np.exp(centred.shifted(shift * step).log_density(x, np)) for shift in (0.0, 1.0, -1.0)
        )
        slope = (ahead - behind) / (2.0 * step)
        return np.trapezoid(slope**2 / np.maximum(density, 1e-300), x, axis=-1)

    def expected_outliers(self, noise: Noise) -> float:
        """The contaminated fraction."""
        return float(np.mean(noise.arguments["fraction"]))
