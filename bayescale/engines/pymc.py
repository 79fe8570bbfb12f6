"""NUTS on the model that `bayescale.raw.to_pymc` writes: by nutpie where it is installed.

Chains start around the posterior mode, and the metric knows of correlations (nutpie's low-rank
one, PyMC's dense one): a third of the steps of a diagonal metric on the Chinchilla runs. Draws are
doubled, from the beginning and with the same seed, until the effective sample size suffices.
"""

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, final

import jax
import numpy as np

from bayescale.diagnose import MAX_DIVERGENT, MAX_RHAT, MIN_ESS, worst_convergence
from bayescale.engines.density import Density
from bayescale.engines.engine import AbstractEngine, Draws, Progress
from bayescale.engines.mode import STARTS, NoModeFound, find_mode, prior_spread
from bayescale.model import Model
from bayescale.raw import to_pymc
from bayescale.runs import Runs
from theory.forward import ForwardLaw

if TYPE_CHECKING:
    import pymc as pm

FIRST, MAXIMUM = 1000, 8000
"""First and largest number of draws a chain."""


class Attempt(NamedTuple):
    """How to warm up: draws a chain, and the target acceptance rate that sets the step size."""

    warmup: int
    acceptance: float


ATTEMPTS = (Attempt(1000, 0.9), Attempt(2000, 0.98))
"""The usual attempt, and one more where draws diverge or the chains do not converge."""

TARGET_ESS, TARGET_RHAT = 1000.0, 1.005
"""Sampling stops when the smallest bulk and tail ESS and the largest R-hat reach these; the gate
asks for 400 and 1.01."""

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

    name: ClassVar[str] = "pymc"
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
        density = Density(model)
        progress("looking for the posterior mode")
        start, facts = _start(density, runs, seed)
        made = to_pymc(model, runs)
        # What only JAX can differentiate has no compiled form elsewhere.
        backend = "jax" if isinstance(model.law, ForwardLaw) else "numba"
        name, make = _available()
        progress(f"NUTS by {name}: compiling")
        sampler = make(made, start, backend, chains, seed)
        for count, attempt in enumerate(ATTEMPTS, start=1):
            tree = _enough(sampler, density, draws, chains, attempt, progress)
            failure = _failure(density, tree, judged=draws is None and chains > 1)
            if failure is None:
                break
            if count < len(ATTEMPTS):
                progress(f"NUTS: {failure}; again with a longer warm-up and smaller steps")
        stats = tree["sample_stats"]
        sample_stats = {
            arviz: stats[known].to_numpy()
            for arviz, names in STATS.items()
            for known in names
            if known in stats
        }
        facts |= {
            "attempts": count,
            "warmup": attempt.warmup,
            "target_acceptance": attempt.acceptance,
            "sampler": name,
        }
        return Draws(_coordinates(density, tree), sample_stats, facts)


def _start(density: Density, runs: Runs, seed: int) -> tuple[dict[Any, Any], dict[str, Any]]:
    """Where chains begin, and how the search for it went."""
    rng = np.random.default_rng(seed)
    with jax.enable_x64(True):
        try:
            mode = find_mode(density, density.model.observe(runs), rng=rng)
            centre, agreeing = mode.position, mode.agreeing
        except NoModeFound:
            (centre, _), agreeing = prior_spread(density), 0
    at = density.constrain(centre)
    facts = {"mode_agreeing": agreeing, "mode_starts": STARTS}
    return {name: np.asarray(at[name]) for name in density.model.free}, facts


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
    chains: int,
    seed: int,
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
            chains=chains,
            seed=seed,
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
    chains: int,
    seed: int,
) -> Sampler:
    import pymc as pm

    def sample(draws: int, attempt: Attempt) -> Any:
        with made, warnings.catch_warnings():
            # Of the dense metric, which the tests hold against NumPyro's.
            warnings.filterwarnings("ignore", message="QuadPotentialFullAdapt is an experimental")
            return pm.sample(
                draws,
                tune=attempt.warmup,
                chains=chains,
                cores=1,  # forked processes deadlock once JAX has started
                random_seed=seed,
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


def _enough(
    sampler: Sampler,
    density: Density,
    draws: int | None,
    chains: int,
    attempt: Attempt,
    progress: Progress,
) -> Any:
    """Draw until the chains agree and the effective sample size suffices."""
    count = FIRST if draws is None else draws
    while True:
        progress(f"NUTS: {chains} chains of {attempt.warmup} + {count} draws")
        tree = sampler(count, attempt)
        if draws is not None or chains == 1 or count >= MAXIMUM:
            return tree
        rhat, ess = _convergence(density, tree)
        progress(f"NUTS: {count} draws a chain, R-hat {rhat:.3f}, smallest ESS {ess:.0f}")
        if ess >= TARGET_ESS and rhat <= TARGET_RHAT:
            return tree
        count = min(2 * count, MAXIMUM)


def _failure(density: Density, tree: Any, *, judged: bool) -> str | None:
    """Why another attempt is worth it; None where it is not, `judged` if R-hat and ESS count."""
    if float(tree["sample_stats"]["diverging"].mean()) > MAX_DIVERGENT:
        return "draws diverged"
    if not judged or tree["posterior"].sizes["draw"] < MAXIMUM:  # it stopped because all was well
        return None
    rhat, ess = _convergence(density, tree)
    if rhat <= MAX_RHAT and ess >= MIN_ESS:
        return None
    return f"the chains did not converge (R-hat {rhat:.3f}, smallest ESS {ess:.0f})"


def _convergence(density: Density, tree: Any) -> tuple[float, float]:
    """Largest R-hat and smallest ESS on the real line."""
    return worst_convergence(density.unconstrain(_coordinates(density, tree)))


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
