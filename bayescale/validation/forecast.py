"""What a posterior forecasts of runs that it has not seen, and how well."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp

from bayescale.errors import RunsError, UsageError
from bayescale.models.noise import Noise
from bayescale.models.observations import Observations
from bayescale.models.thinning import thinned, whole_shares
from bayescale.posteriors.posterior import Posterior
from bayescale.runs.table import Runs


@dataclass(frozen=True)
class Forecast:
    """Predictive distribution of the log loss of new runs, at what was then seen.

    Parameters
    ----------
    log_loss
        What was seen, (run,).
    draws
        Log losses of new runs, drift and noise included, (draw, run).
    log_density
        Log predictive density of what was seen, ``log mean_s p(log loss | draw s)``, (run,).
    """

    log_loss: Float[np.ndarray, " run"]
    draws: Float[np.ndarray, "draw run"]
    log_density: Float[np.ndarray, " run"]

    def interval(self, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Ends of the central predictive interval of a probability, (run,) each."""
        tail = (1.0 - level) / 2.0
        low, high = np.quantile(self.draws, [tail, 1.0 - tail], axis=0)
        return low, high

    def coverage(self, level: float) -> float:
        """Fraction of runs inside the central interval of a probability."""
        low, high = self.interval(level)
        return float(np.mean((low <= self.log_loss) & (self.log_loss <= high)))

    def width(self, level: float) -> float:
        """Mean width of that interval, in log loss."""
        low, high = self.interval(level)
        return float(np.mean(high - low))

    def interval_score(self, level: float) -> float:
        """Mean interval score (Gneiting and Raftery 2007, eq. (43)); lower is better.

        The width, and for a run outside ``2/(1 - level)`` times its distance from the interval.
        """
        low, high = self.interval(level)
        outside = np.maximum(low - self.log_loss, 0.0) + np.maximum(self.log_loss - high, 0.0)
        return float(np.mean(high - low + 2.0 / (1.0 - level) * outside))

    @property
    def error(self) -> Float[np.ndarray, " run"]:
        """What was seen, less the predictive median."""
        return self.log_loss - np.median(self.draws, axis=0)

    @property
    def rmse(self) -> float:
        """Root mean square of the errors."""
        return float(np.sqrt(np.mean(self.error**2)))

    @property
    def log_score(self) -> float:
        """Mean log predictive density, nats a run; higher is better."""
        return float(np.mean(self.log_density))


def forecast(posterior: Posterior, runs: Runs, *, force: bool = False) -> Forecast:
    """Forecast the log losses of runs that were not fitted.

    Parameters
    ----------
    posterior
        Fitted to other runs.
    runs
        Held-out runs with the law's resources.
    force
        Go on even where the gate refuses.

    Raises
    ------
    UsageError
        If the posterior has no likelihood.
    RunsError
        If no run is held out.
    DiagnosticsRefused
        If the gate refuses and `force` is not given.
    """
    if posterior.model is None:
        raise UsageError("these draws came without a likelihood, so they score no new run.")
    if len(runs) == 0:
        raise RunsError("no run is held out; choose a cut that leaves some on either side.")
    posterior.diagnosis.require(force=force)
    rng = np.random.default_rng(posterior.seed)
    noise = noise_of(posterior, runs, rng)
    log_loss = np.log(runs.loss)
    return Forecast(
        log_loss=log_loss,
        draws=noise.sample(rng, np.shape(noise.location)),
        log_density=log_predictive(noise, log_loss),
    )


def noise_of(posterior: Posterior, runs: Runs, rng: np.random.Generator) -> Noise:
    """Distribution of the log loss of new runs draw by draw, (draw, run), drift included.

    Parameters
    ----------
    posterior
        With a likelihood.
    runs
        Of which only the resources are looked at.
    rng
        Draws how single runs scatter beyond those that were fitted.
    """
    assert posterior.model is not None
    rows = {r.name: np.log(runs.column(r.name))[None, :] for r in posterior.law.resources}
    mean = posterior.log_law(rows) + posterior.log_drift(rows) + posterior.log_scatter(rows, rng)
    return posterior.model.likelihood.noise(mean, posterior.noise_draws, Observations(rows), np)


def log_predictive(noise: Noise, log_loss: np.ndarray) -> Float[np.ndarray, " run"]:
    """``log mean_s p(log loss | draw s)`` of a noise with arguments (draw, run)."""
    densities = noise.log_density(log_loss, np)
    return np.asarray(logsumexp(densities, axis=0)) - np.log(len(densities))


def mixture(parts: list[Forecast], weights: np.ndarray) -> Forecast:
    """Forecast of a weighted mixture of posteriors, on the same runs."""
    shares = whole_shares(weights, max(len(part.draws) for part in parts))
    draws = [part.draws[thinned(len(part.draws), n)] for part, n in zip(parts, shares, strict=True)]
    with np.errstate(divide="ignore"):
        log_weights = np.log(weights)[:, None]
    densities = np.stack([part.log_density for part in parts])
    return Forecast(
        parts[0].log_loss,
        np.concatenate(draws),
        np.asarray(logsumexp(densities + log_weights, axis=0)),
    )
