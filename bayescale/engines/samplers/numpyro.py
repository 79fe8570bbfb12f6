"""NUTS with a dense metric and several chains, by NumPyro; of groups, centred by what they say."""

from dataclasses import replace
from typing import ClassVar, final

import jax
import numpy as np

from bayescale.engines import hierarchical, nuts
from bayescale.engines.engine import AbstractEngine, Sampling
from bayescale.engines.mode import start_of_chains
from bayescale.models.density import Density
from bayescale.models.draws import Draws
from bayescale.models.model import Model
from bayescale.runs.table import Runs


@final
class Engine(AbstractEngine):
    """NUTS from the posterior mode, in whitened coordinates (`bayescale.engines.nuts`)."""

    meaning: ClassVar[str] = "NUTS by NumPyro"
    packages: ClassVar[tuple[str, ...]] = nuts.PACKAGES

    def sample(self, model: Model, runs: Runs, sampling: Sampling) -> Draws:
        """Draw by NUTS; see `AbstractEngine.sample`."""
        with jax.enable_x64(True):
            density, observed = Density(model), model.observe(runs)
            rng = np.random.default_rng(sampling.seed)
            if model.pooling is None:
                sampling.progress("looking for the posterior mode")
                start = start_of_chains(density, observed, rng)
            else:
                sampling.progress("looking for the mode given the spreads")
                start = hierarchical.find_start(density, observed, rng)
                density = start.density
            found = nuts.draw(density, start.centre, start.factor, observed, sampling, rng)
        return replace(found, facts={**found.facts, **start.facts})
