"""Laplace approximation, corrected by importance resampling and checked by PSIS.

The proposal is a multivariate Student-t at the posterior mode with the curvature there; its
draws are reweighted by the exact posterior, the weights smoothed by Pareto smoothed importance
sampling (Vehtari et al. 2024), and resampled. The Pareto k-hat of the weights says whether the
answer can be trusted; above 0.7 it is refused by the gate.
"""

from typing import ClassVar, final

import jax
import numpy as np
from scipy import stats

from bayescale.diagnosis import smooth_weights
from bayescale.engines.engine import AbstractEngine, Sampling
from bayescale.engines.mode import NoModeFound, find_mode
from bayescale.errors import DiagnosticsRefused
from bayescale.models.density import Density
from bayescale.models.draws import Draws
from bayescale.models.model import Model
from bayescale.models.observations import Observations
from bayescale.runs.table import Runs

PROPOSALS = 10_000
DEFAULT_DRAWS = 1000
"""Number of proposals, and of draws a chain where the user does not say."""

CELLS = 1_000_000
"""Proposals times runs evaluated at once, which bounds the memory."""

TAIL = 7.0
"""Degrees of freedom of the proposal: heavier than a Gaussian, so that weights stay bounded."""


@final
class Engine(AbstractEngine):
    """Mode, curvature, importance resampling; draws are independent."""

    meaning: ClassVar[str] = "mode, curvature, importance resampling"
    packages: ClassVar[tuple[str, ...]] = ("jax",)

    def sample(self, model: Model, runs: Runs, sampling: Sampling) -> Draws:
        """Draw by importance resampling; see `AbstractEngine.sample`.

        Raises
        ------
        DiagnosticsRefused
            If no posterior mode was found.
        """
        density = Density(model)
        chains = sampling.chains
        count = chains * (DEFAULT_DRAWS if sampling.draws is None else sampling.draws)
        rng = np.random.default_rng(sampling.seed)
        with jax.enable_x64(True):
            observed = model.observe(runs)
            sampling.progress("looking for the posterior mode")
            try:
                mode = find_mode(density, observed, rng=rng)
            except NoModeFound as error:
                raise DiagnosticsRefused(
                    f"the Laplace engine found no posterior mode ({error}); use engine='numpyro'."
                ) from error
            sampling.progress(f"importance sampling: {PROPOSALS} proposals")
            at = (mode.position, mode.covariance)
            try:
                proposal = stats.multivariate_t(*at, df=TAIL)  # pyright: ignore[reportArgumentType]
            except (np.linalg.LinAlgError, ValueError) as error:
                scale = model.likelihood.scale_name
                raise DiagnosticsRefused(
                    "the curvature at the posterior mode is singular: the runs lie on the law "
                    "without scatter, or leave a parameter free; fix one, such as "
                    f"prior={{'{scale}': 0.001}} (--prior {scale}=0.001)."
                ) from error
            positions = proposal.rvs(PROPOSALS, random_state=rng).reshape(PROPOSALS, density.size)
            log_posterior = _log_densities(density, positions, observed)
            log_ratio = log_posterior - proposal.logpdf(positions)
            weights, pareto_k = smooth_weights(np.nan_to_num(log_ratio, nan=-np.inf))
            chosen = _systematic(weights, count, rng)
            coordinates = density.constrain(positions[chosen])
            values = {
                name: np.asarray(v).reshape(chains, -1, *model.shapes[name])
                for name, v in coordinates.items()
            }
        facts = {
            "mode_agreeing": mode.agreeing,
            "mode_starts": mode.starts,
            "pareto_k": pareto_k,
            "importance_ess": float(1.0 / np.sum(weights**2)),
            "proposals": PROPOSALS,
        }
        lp = log_posterior[chosen].reshape(chains, -1)
        return Draws(values, {"lp": lp}, facts, self.packages)


def _log_densities(density: Density, positions: np.ndarray, observed: Observations) -> np.ndarray:
    """Log density at many positions, by NumPy: for one evaluation nothing is worth compiling."""
    rows = max(1, CELLS // len(observed.log_loss))
    chunks = [positions[i : i + rows] for i in range(0, len(positions), rows)]
    with np.errstate(all="ignore"):  # what overflows gets no weight
        return np.concatenate([density.log_density(chunk, observed, np) for chunk in chunks])


def _systematic(weights: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Indices of a systematic resample, shuffled: the least noisy unbiased choice of draws."""
    points = (rng.random() + np.arange(count)) / count
    chosen = np.searchsorted(np.cumsum(weights), points * weights.sum())
    return rng.permutation(np.minimum(chosen, weights.size - 1))
