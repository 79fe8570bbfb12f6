"""NUTS on the model that `bayescale.models.export.to_pymc` writes: by nutpie where it is installed.

Chains start around the posterior mode, and the metric knows of correlations (nutpie's low-rank
one, PyMC's dense one): a third of the steps of a diagonal metric on the Chinchilla runs. Draws are
doubled, from the beginning and with the same seed, until the effective sample size suffices.

PyTensor keeps what Numba compiled, and what was kept may round differently from what was compiled
anew: the same seed gives the same draws only by the same machine code.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Literal, final

import jax
import numpy as np

from bayescale.engines.attempts import MAXIMUM, Attempt, failure, persist, suffices
from bayescale.engines.engine import AbstractEngine, Sampling
from bayescale.engines.interrupts import never_truncated, require_complete
from bayescale.engines.mode import start_of_chains
from bayescale.models.density import Density
from bayescale.models.draws import Draws
from bayescale.models.export import to_pymc
from bayescale.models.model import Model
from bayescale.runs.table import Runs
from theory.declaration.forward import ForwardLaw

if TYPE_CHECKING:
    import pymc as pm

FIRST = 1000
"""First number of draws a chain."""

ATTEMPTS = (Attempt(1000, 0.9), Attempt(2000, 0.98))
"""The usual attempt, and one more where draws diverge or the chains do not converge."""

STATS = {
    "diverging": ("diverging",),
    "energy": ("energy",),
    "n_steps": ("n_steps",),
    "tree_depth": ("tree_depth", "depth"),
    "acceptance_rate": ("acceptance_rate", "mean_tree_accept"),
    "lp": ("lp", "logp"),
}
"""ArviZ's name of a statistic -> PyMC's and nutpie's."""

Sampler = Callable[[int, Attempt], Any]
"""From draws a chain and how to warm up to a `DataTree` of chains."""


@final
class Engine(AbstractEngine):
    """NUTS by nutpie or PyMC; smaller steps where draws diverge."""

    meaning: ClassVar[str] = "NUTS by nutpie or PyMC"
    packages: ClassVar[tuple[str, ...]] = ("pymc", "pytensor")

    def sample(self, model: Model, runs: Runs, sampling: Sampling) -> Draws:
        """Draw by NUTS; see `AbstractEngine.sample`."""
        with _double_precision():
            return self._sample(model, runs, sampling)

    def _sample(self, model: Model, runs: Runs, sampling: Sampling) -> Draws:
        density, progress, draws = Density(model), sampling.progress, sampling.draws
        progress("looking for the posterior mode")
        start, facts = _start(density, runs, sampling.seed)
        made = to_pymc(model, runs)
        # What only JAX can differentiate has no compiled form elsewhere.
        backend = "jax" if isinstance(model.law, ForwardLaw) else "numba"
        name, make = _available()
        progress(f"NUTS by {name}: compiling")
        sampler = make(made, start, backend, sampling)

        def positions(tree: Any) -> np.ndarray:
            return density.unconstrain(_coordinates(density, tree))

        def once(attempt: Attempt) -> Any:
            count = FIRST if draws is None else draws
            while True:
                progress(f"NUTS: {sampling.chains} chains of {attempt.warmup} + {count} draws")
                with never_truncated():
                    tree = sampler(count, attempt)
                require_complete(tree, sampling.chains, count)
                if not sampling.judged or suffices(positions(tree), progress):
                    return tree
                count = min(2 * count, MAXIMUM)

        def why_not(tree: Any) -> str | None:
            diverging = tree["sample_stats"]["diverging"].to_numpy()
            return failure(diverging, positions(tree), judged=sampling.judged)

        tree, tried = persist(ATTEMPTS, once, why_not, progress)
        stats = tree["sample_stats"]
        sample_stats = {
            arviz: stats[known].to_numpy()
            for arviz, names in STATS.items()
            for known in names
            if known in stats
        }
        facts = {**facts, **tried, "sampler": name}
        packages = tuple(dict.fromkeys([*self.packages, name]))
        return Draws(_coordinates(density, tree), sample_stats, facts, packages)


@contextmanager
def _double_precision() -> Iterator[None]:
    """JAX in double precision, in all threads while chains run in threads of their own.

    PyTensor demands it of the whole process as soon as it compiles to JAX; afterwards it is what
    it was.
    """
    before = jax.config.jax_enable_x64
    try:
        jax.config.update("jax_enable_x64", True)
        yield
    finally:
        jax.config.update("jax_enable_x64", before)


def _start(density: Density, runs: Runs, seed: int) -> tuple[dict[Any, Any], dict[str, Any]]:
    """Where chains begin, and how the search for it went."""
    observed = density.model.observe(runs)
    start = start_of_chains(density, observed, np.random.default_rng(seed))
    at = density.constrain(start.centre)
    return {name: np.asarray(at[name]) for name in density.model.free}, start.facts


def _available() -> tuple[str, Callable[..., Sampler]]:
    """Name of the sampler at hand, and what makes it ready."""
    try:
        import nutpie  # noqa: F401
    except ImportError:
        return "pymc", _by_pymc
    return "nutpie", _by_nutpie


def _by_nutpie(
    made: "pm.Model",
    start: dict[Any, Any],
    backend: Literal["numba", "jax"],
    sampling: Sampling,
) -> Sampler:
    import nutpie

    compiled = nutpie.compile_pymc_model(
        made,
        backend=backend,
        gradient_backend="jax" if backend == "jax" else "pytensor",
        initial_points=start,
        var_names=list(start),
        freeze_model=True,
    )

    def sample(draws: int, attempt: Attempt) -> Any:
        return nutpie.sample(
            compiled,
            draws=draws,
            tune=attempt.warmup,
            chains=sampling.chains,
            seed=sampling.seed,
            adaptation="low_rank",
            target_accept=attempt.acceptance,
            save_warmup=False,
            progress_bar=False,
        )

    return sample


def _by_pymc(
    made: "pm.Model",
    start: dict[Any, Any],
    backend: Literal["numba", "jax"],
    sampling: Sampling,
) -> Sampler:
    import pymc as pm

    def sample(draws: int, attempt: Attempt) -> Any:
        with made, warnings.catch_warnings():
            # Of the dense metric, which the tests hold against NumPyro's.
            warnings.filterwarnings("ignore", message="QuadPotentialFullAdapt is an experimental")
            return pm.sample(
                draws,
                tune=attempt.warmup,
                chains=sampling.chains,
                cores=1,  # forked processes deadlock once JAX has started
                random_seed=sampling.seed,
                nuts_sampler="pymc",
                init="jitter+adapt_full",
                initvals=start,
                target_accept=attempt.acceptance,
                var_names=list(start),
                backend=backend,
                compute_convergence_checks=False,
                quiet=True,
            )

    return sample


def _coordinates(density: Density, tree: Any) -> dict[str, np.ndarray]:
    """Every coordinate and noise parameter, fixed ones included, (chain, draw, ...)."""
    posterior, fixed = tree["posterior"], density.model.fixed
    shape = tuple(posterior.sizes[dim] for dim in ("chain", "draw"))
    return {
        name: np.full(shape, fixed[name])
        if name in fixed
        else posterior[name].transpose("chain", "draw", ...).to_numpy()
        for name in density.model.priors.table
    }
