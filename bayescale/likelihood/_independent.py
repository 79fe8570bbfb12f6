"""Noise models in which runs are independent given the law."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from bayescale.errors import RunsError, UsageError
from bayescale.likelihood._base import OUTLYING, AbstractLikelihood, Noise
from bayescale.observations import Observations
from bayescale.prior import Prior
from bayescale.runs import Runs

SIGMA = Prior.around(0.01, 1.0)
"""Scale of the log residual, i.e. about the relative error of a loss."""

FAR = 100.0
"""Distance in log loss of an end that is open, in place of infinity: its gradient is finite."""

NU = Prior("Gamma", alpha=2, beta=0.1)
"""Degrees of freedom (Juarez and Steel 2010)."""


def student_t(log_loss: Any, sigma: Any, parameters: Mapping[str, Any]) -> Noise:
    """Student-t around the law's log loss with a given scale."""
    return Noise("StudentT", {"nu": parameters["nu"], "mu": log_loss, "sigma": sigma})


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
        return {"sigma": SIGMA, "nu": NU}

    def noise(
        self, log_loss: Any, parameters: Mapping[str, Any], rows: Observations, ops: Any
    ) -> Noise:
        """Student-t around the law's log loss."""
        return student_t(log_loss, parameters["sigma"], parameters)


@final
@dataclass(frozen=True)
class Normal(AbstractLikelihood):
    """``log loss ~ Normal(log L, sigma)``; one gross outlier moves the whole fit."""

    name = "normal"

    def priors(self) -> dict[str, Prior]:
        """``sigma ~ LogNormal(ln 0.01, 1)``."""
        return {"sigma": SIGMA}

    def noise(
        self, log_loss: Any, parameters: Mapping[str, Any], rows: Observations, ops: Any
    ) -> Noise:
        """Normal around the law's log loss."""
        return Noise("Normal", {"mu": log_loss, "sigma": parameters["sigma"]})


@final
@dataclass(frozen=True)
class Heteroscedastic(AbstractLikelihood):
    """Student-t whose scale is a power of a resource: ``sigma_i = sigma (R_i/R_0)^trend``.

    Parameters
    ----------
    over
        The resource: one of the law's, or ``"C"`` for the product of all its sizes.
    at
        ``R_0``, where `sigma` is meant; the geometric mean of the table by default.
    """

    name = "heteroscedastic"

    over: str = "C"
    at: float | None = None

    def __post_init__(self) -> None:
        if self.at is not None and not 0 < self.at < math.inf:
            raise UsageError(
                "likelihood 'heteroscedastic' takes at=, the positive size where sigma is meant; "
                f"got {self.at}."
            )

    def priors(self) -> dict[str, Prior]:
        """``sigma``, ``nu`` as for Student-t; ``trend ~ Normal(0, 0.25)``: per e-fold of R."""
        return {"sigma": SIGMA, "nu": NU, "trend": Prior("Normal", mu=0, sigma=0.25)}

    def scaled_to(self, pivot: Mapping[str, float]) -> AbstractLikelihood:
        """Take ``R_0`` from the pivot of the law where it was not given."""
        if self.at is not None:
            return self
        logs = {name: math.log(size) for name, size in pivot.items()}
        return replace(self, at=math.exp(self._log_size(logs)))

    def _log_size(self, log_resources: Mapping[str, Any]) -> Any:
        if self.over in log_resources:
            return log_resources[self.over]
        if self.over == "C" and {"N", "D"} <= set(log_resources):
            return math.log(6.0) + log_resources["N"] + log_resources["D"]
        raise UsageError(
            f"the noise is to vary over '{self.over}', but the law depends on "
            f"{', '.join(log_resources)}; name one of these, as in "
            f"'heteroscedastic(over={next(iter(log_resources))})'."
        )

    def noise(
        self, log_loss: Any, parameters: Mapping[str, Any], rows: Observations, ops: Any
    ) -> Noise:
        """Student-t with a scale of its own for each run."""
        if self.at is None:
            raise UsageError("heteroscedastic noise without a pivot needs at=, the size R_0.")
        relative = self._log_size(rows.log_resources) - math.log(self.at)
        sigma = parameters["sigma"] * ops.exp(parameters["trend"] * relative)
        return student_t(log_loss, sigma, parameters)


@final
@dataclass(frozen=True)
class Measured(AbstractLikelihood):
    """Student-t with a known error of each measurement: ``sigma_i^2 = sigma^2 + (se_i/loss_i)^2``.

    Parameters
    ----------
    column
        Column of the table with standard errors of the loss, in the unit of the loss.
    """

    name = "measured"

    column: str = "loss_se"

    def priors(self) -> dict[str, Prior]:
        """As for Student-t; ``sigma`` is what the known errors leave."""
        return {"sigma": SIGMA, "nu": NU}

    def columns(self, runs: Runs) -> dict[str, np.ndarray]:
        """Relative standard errors."""
        return {"error": positive_column(runs, self.column, zero=True) / runs.loss}

    def noise(
        self, log_loss: Any, parameters: Mapping[str, Any], rows: Observations, ops: Any
    ) -> Noise:
        """Student-t; a new run has no error of measurement."""
        known = rows.columns.get("error", 0.0)
        return student_t(log_loss, ops.sqrt(parameters["sigma"] ** 2 + known**2), parameters)


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
        self, log_loss: Any, parameters: Mapping[str, Any], rows: Observations, ops: Any
    ) -> Noise:
        """Normal with an exponential tail on one side."""
        names = ("sigma", "fraction", "excess")
        return Noise("Contaminated", {"mu": log_loss, **{n: parameters[n] for n in names}})

    def outlier_probability(self, noise: Noise, log_loss: np.ndarray) -> np.ndarray:
        """Probability that the run is one of the contaminated."""
        from bayescale.family import contaminated_parts

        clean, excess = contaminated_parts(log_loss, np, **noise.arguments)
        return np.exp(excess - np.logaddexp(clean, excess))

    def information(self, noise: Noise) -> Any:
        """Fisher information ``int p'^2/p`` about the location, by the trapezoidal rule."""
        from bayescale.family import FAMILIES

        names = ("sigma", "fraction", "excess")
        sigma, fraction, excess = np.broadcast_arrays(*(noise.arguments[n] for n in names))
        one = np.append(np.linspace(-8.0, 8.0, 801), np.linspace(0.0, 1.0, 401)[1:])
        far = np.where(np.arange(one.size) > 800, 30.0 * one, 0.0)
        near = np.where(np.arange(one.size) > 800, 8.0, one)
        x = near * sigma[..., None] + far * excess[..., None]
        rest = {"sigma": sigma[..., None], "fraction": fraction[..., None]}
        step = 1e-4 * sigma[..., None]
        density, ahead, behind = (
            np.exp(
                FAMILIES["Contaminated"].log_density(
                    x, np, mu=shift * step, excess=excess[..., None], **rest
                )
            )
            for shift in (0.0, 1.0, -1.0)
        )
        slope = (ahead - behind) / (2.0 * step)
        return np.trapezoid(slope**2 / np.maximum(density, 1e-300), x, axis=-1)

    def expected_outliers(self, noise: Noise) -> float:
        """The contaminated fraction."""
        return float(np.mean(noise.arguments["fraction"]))


@final
@dataclass(frozen=True)
class Rounded(AbstractLikelihood):
    """The loss is known to lie in an interval: rounded, or censored.

    ``P(low < loss < high)`` under a Normal around the law's log loss.

    Parameters
    ----------
    step
        Losses were rounded to multiples of it, 0.01 by default, so the interval is half a step on
        either side.
    low, high
        Instead: columns with the ends of the interval, in the unit of the loss; 0 and inf are
        open ends.
    """

    name = "rounded"

    step: float = 0.01
    low: str | None = None
    high: str | None = None

    def __post_init__(self) -> None:
        if (self.low is None) != (self.high is None) or not self.step > 0:
            raise UsageError(
                "likelihood 'rounded' takes step=, a positive number to whose multiples the losses "
                "were rounded, or both low= and high=, columns with the ends of the interval; got "
                f"step={self.step}, low={self.low}, high={self.high}."
            )

    def priors(self) -> dict[str, Prior]:
        """``sigma ~ LogNormal(ln 0.01, 1)``."""
        return {"sigma": SIGMA}

    def columns(self, runs: Runs) -> dict[str, np.ndarray]:
        """Distances in log loss from the loss to both ends of its interval."""
        if self.low is None or self.high is None:
            low, high = runs.loss - self.step / 2, runs.loss + self.step / 2
        else:
            low, high = number_column(runs, self.low), number_column(runs, self.high)
        if np.any(wrong := ~((low >= 0) & (low <= runs.loss) & (runs.loss <= high) & (low < high))):
            row = int(np.flatnonzero(wrong)[0])
            raise RunsError(
                f"{runs.name}: the interval of row {row + 1} runs from {low[row]:.6g} to "
                f"{high[row]:.6g}; it must not be negative and must hold the loss, "
                f"{runs.loss[row]:.6g}."
            )
        with np.errstate(divide="ignore"):  # open ends
            below, above = np.log(runs.loss / low), np.log(high / runs.loss)
        return {"below": np.minimum(below, FAR), "above": np.minimum(above, FAR)}

    def noise(
        self, log_loss: Any, parameters: Mapping[str, Any], rows: Observations, ops: Any
    ) -> Noise:
        """Probability of the interval; plain Normal for a new run."""
        plain = {"mu": log_loss, "sigma": parameters["sigma"]}
        if rows.log_loss is None:
            return Noise("Normal", plain)
        ends = {"below": rows.columns["below"], "above": rows.columns["above"]}
        return Noise("Interval", plain | ends)

    def information(self, noise: Noise) -> Any:
        """Of a rounded loss, the width of the interval adds ``width^2/12`` to the variance."""
        width = noise.arguments.get("below", 0.0) + noise.arguments.get("above", 0.0)
        return 1.0 / (noise.arguments["sigma"] ** 2 + width**2 / 12.0)

    def outlier_probability(self, noise: Noise, log_loss: np.ndarray) -> np.ndarray:
        """Probability that the error exceeds three sigma, given the interval it lies in."""
        from bayescale.family import log_interval

        mu, sigma = noise.arguments["mu"], noise.arguments["sigma"]
        low = (log_loss - noise.arguments.get("below", 0.0) - mu) / sigma
        high = (log_loss + noise.arguments.get("above", 0.0) - mu) / sigma
        inner = np.clip(low, -OUTLYING, OUTLYING), np.clip(high, -OUTLYING, OUTLYING)
        with np.errstate(divide="ignore"):  # none of it within three sigma
            usual = log_interval(*inner, np) - log_interval(low, high, np)
        return np.clip(-np.expm1(usual), 0.0, 1.0)


def number_column(runs: Runs, name: str) -> np.ndarray:
    """A column of numbers.

    Raises
    ------
    RunsError
        If it is absent, or holds text or nothing in a row.
    """
    column = runs.column(name)  # its own refusal of an absent name is a ValueError too
    try:
        values = column.astype(np.float64)
    except (TypeError, ValueError):
        raise RunsError(f"{runs.name}: column '{name}' must hold numbers; it is text.") from None
    if np.any(empty := np.isnan(values)):
        row = int(np.flatnonzero(empty)[0])
        raise RunsError(f"{runs.name}: column '{name}' must hold numbers; row {row + 1} has none.")
    return values


def positive_column(runs: Runs, name: str, *, zero: bool = False) -> np.ndarray:
    """A column of finite positive numbers (with `zero`, of numbers not negative).

    Raises
    ------
    RunsError
        If it is absent, not numbers, or a row is out of range.
    """
    values = number_column(runs, name)
    wrong = ~np.isfinite(values) | (values < 0 if zero else values <= 0)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        allowed = "not negative" if zero else "positive"
        raise RunsError(
            f"{runs.name}: column '{name}' must be finite and {allowed}; row {row + 1} has "
            f"{values[row]:g}."
        )
    return values
