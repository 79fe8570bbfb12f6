"""NUTS by NumPyro, in coordinates whitened by the curvature at the posterior mode.

Whitening makes the posterior nearly a unit Gaussian before the first step, so warm-up is short
and trajectories are a few leapfrog steps long. Sampling goes on in blocks until the smallest
effective sample size reaches a target, instead of for a fixed number of draws.
"""

from typing import ClassVar, final

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.infer import MCMC, NUTS

from bayescale.diagnose import smallest_ess
from bayescale.engines.density import Density, observations
from bayescale.engines.engine import AbstractEngine, Draws, Progress
from bayescale.engines.mode import NoModeFound, find_mode
from bayescale.model import Model
from bayescale.runs import Runs

WARMUP = 300
BLOCK = 500
MAXIMUM = 8000
"""Warm-up, block and largest number of draws, each a chain."""

TARGET_ESS = 1000.0
"""Smallest bulk and tail ESS at which sampling stops; the gate asks for 400."""

STATS = {
    "diverging": "diverging",
    "energy": "energy",
    "num_steps": "n_steps",
    "accept_prob": "acceptance_rate",
    "potential_energy": "lp",
}
"""NumPyro's name of a statistic -> ArviZ's."""


@final
class Engine(AbstractEngine):
    """NUTS with a dense metric, target acceptance 0.9, and several chains."""

    name: ClassVar[str] = "numpyro"
    markov_chain: ClassVar[bool] = True

    def sample(
        self,
        model: Model,
        runs: Runs,
        *,
        draws: int | None,
        chains: int,
        seed: int,
        progress: Progress,
    ) -> Draws:
        """Draw by NUTS; see `AbstractEngine.sample`."""
        with jax.enable_x64(True):
            return self._sample(model, runs, draws, chains, seed, progress)

    def _sample(
        self,
        model: Model,
        runs: Runs,
        draws: int | None,
        chains: int,
        seed: int,
        progress: Progress,
    ) -> Draws:
        density, observed = Density(model), observations(model, runs)
        rng = np.random.default_rng(seed)
        progress("looking for the posterior mode")
        try:
            mode = find_mode(density, observed, rng=rng)
            centre, factor = jnp.asarray(mode.position), jnp.asarray(mode.factor)
            facts = {"mode_agreeing": mode.agreeing, "mode_starts": mode.starts}
        except NoModeFound:
            centre, factor = jnp.zeros(density.size), jnp.eye(density.size)
            facts = {"mode_agreeing": 0, "mode_starts": 0}

        def potential(whitened: jax.Array) -> jax.Array:
            return -density.log_density(centre + factor @ whitened, observed)

        kernel = NUTS(potential_fn=potential, dense_mass=True, target_accept_prob=0.9)
        size = BLOCK if draws is None else draws
        sampler = MCMC(
            kernel,
            num_warmup=WARMUP,
            num_samples=size,
            num_chains=chains,
            chain_method="parallel" if jax.local_device_count() >= chains else "sequential",
            progress_bar=False,
        )
        # Starts twice as wide as the posterior, so that R-hat means something.
        starts = 2.0 * rng.standard_normal((chains, density.size))
        key = jax.random.key(seed)
        blocks: list[np.ndarray] = []
        stats: dict[str, list[np.ndarray]] = {name: [] for name in STATS}
        while True:
            key, now = jax.random.split(key)
            progress(f"NUTS: {chains} chains, draws {len(blocks) * size + size} each")
            sampler.run(
                now,
                init_params=jnp.asarray(starts if chains > 1 else starts[0]),
                extra_fields=tuple(STATS),
            )
            sampler.post_warmup_state = sampler.last_state
            blocks.append(np.asarray(sampler.get_samples(group_by_chain=True)))
            for name, values in sampler.get_extra_fields(group_by_chain=True).items():
                stats[name].append(np.asarray(values))
            whitened = np.concatenate(blocks, axis=1)
            if draws is not None or whitened.shape[1] >= MAXIMUM:
                break
            if smallest_ess(whitened) >= TARGET_ESS:
                break
        positions = np.asarray(centre) + whitened @ np.asarray(factor).T
        constrained = jax.jit(density.constrain)(positions)
        coordinates = {name: np.asarray(values) for name, values in constrained.items()}
        sample_stats = {STATS[name]: np.concatenate(parts, axis=1) for name, parts in stats.items()}
        sample_stats["lp"] = -sample_stats["lp"]
        return Draws(coordinates, sample_stats, {**facts, "warmup": WARMUP})
