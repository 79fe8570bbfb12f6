"""The same model as an ordinary PyMC or NumPyro model, to read, extend and run on one's own.

Both are written from the one declaration that the engines use: priors and noise are families of
`bayescale.distributions.families.FAMILIES`, and the mean is the law's own formula. Names are those
of `bayescale.Model`: coordinates, noise parameters, the law's parameters, and ``log_loss``.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, final

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pandas as pd
from numpyro.distributions import constraints

from bayescale.distributions.families import FAMILIES
from bayescale.errors import UsageError
from bayescale.models.model import Model
from bayescale.models.noise import Noise
from bayescale.models.observations import Observations
from bayescale.runs.table import Runs, read_runs
from theory.declaration.abstract_law import AbstractLaw
from theory.declaration.namespace import ArrayNamespace, Environment

if TYPE_CHECKING:
    import pymc as pm

LOG_LOSS = "log_loss"
"""Name of the observed variable."""


def to_pymc(model: str | AbstractLaw | Model, runs: Runs | pd.DataFrame | Any) -> "pm.Model":
    """The model of a table of runs as a PyMC model.

    Each free coordinate and noise parameter is a variable of PyMC's own class, with the dimension
    ``group`` where there is one for each group; what is fixed is a constant. The law's parameters
    in the user's units are deterministics (not where groups are pooled, since each group then has
    its own). The observed variable ``log_loss``, of dimension ``run``, is PyMC's own distribution
    or, where it has none, a `CustomDist` with this package's density and SciPy's sampler.

    Where rows depend on each other (`AbstractLikelihood.dependent`), ``log_loss`` is the
    distribution of each row given the observed rows before it, so posterior predictive draws are
    predictions one row ahead.

    Parameters
    ----------
    model
        A `Model`, or a law or its name with default priors.
    runs
        The observed runs, or what `read_runs` reads.

    Returns
    -------
    pymc.Model

    Raises
    ------
    RunsError
        If the table cannot be read or lacks a column.
    UsageError
        If there is no such law.

    Examples
    --------
    >>> import bayescale as bs
    >>> with to_pymc("power_D", bs.load("tiny_lm")) as model:
    ...     print([variable.name for variable in model.free_RVs])
    ...     print([variable.name for variable in model.deterministics])
    ['L_pivot', 'floor_fraction', 'alpha', 'sigma', 'nu']
    ['E', 'A']

    It is run, extended and compared like any other::

        import pymc as pm
        with to_pymc("chinchilla", runs) as model:
            pm.Deterministic("a", model["beta"] / (model["alpha"] + model["beta"]))
            tree = pm.sample(target_accept=0.9)
            pm.sample_posterior_predictive(tree, extend_inferencedata=True)
    """
    import pymc as pm

    from bayescale.distributions import pytensor_ops as tensor

    table = runs if isinstance(runs, Runs) else read_runs(runs)
    if not isinstance(model, Model):
        model = Model.for_runs(model, table)
    coords: dict[str, Any] = {"run": table.table["run"].astype(str).to_numpy()}
    if model.pooling is not None:
        coords["group"] = list(model.pooling.groups)
    with pm.Model(coords=coords) as made:
        sites = {}
        for name, prior in model.priors.table.items():
            if prior.is_fixed:
                sites[name] = tensor.asarray(prior.arguments["value"])
            else:
                # As float64: of Python's numbers PyTensor folds constants in single precision.
                numbers = {n: tensor.asarray(value) for n, value in prior.arguments.items()}
                dims = "group" if model.shapes[name] else None
                sites[name] = getattr(pm, prior.family)(name, **numbers, dims=dims)
        for name, value in _natural(model, sites, tensor).items():
            pm.Deterministic(name, value)
        rows = model.observe(table)
        _observe_in_pymc(model.noise(sites, rows, tensor), rows.log_loss)
    return made


def _observe_in_pymc(noise: Noise, log_loss: np.ndarray) -> None:
    """Add the observed variable to the PyMC model of the context."""
    import pymc as pm
    from scipy import stats

    from bayescale.distributions import pytensor_ops as tensor

    family = FAMILIES[noise.family]
    # `FAMILIES` spells everything as PyMC does, so what is a class of PyMC's is that class.
    if hasattr(pm, noise.family):
        own = getattr(pm, noise.family)
        own(LOG_LOSS, **noise.arguments, observed=log_loss, dims="run")
        return

    def log_density(value: Any, *arguments: Any) -> Any:
        return family.log_density(value, tensor, **_named(noise.family, arguments))

    def random(*arguments: Any, rng: Any = None, size: Any = None) -> np.ndarray:
        frozen = family.scipy(stats, **_named(noise.family, arguments))
        return np.asarray(frozen.rvs(size=size, random_state=rng))

    pm.CustomDist(
        LOG_LOSS,
        *(tensor.asarray(noise.arguments[name]) for name in family.arguments),
        logp=log_density,
        random=random,
        observed=log_loss,
        dims="run",
    )


def to_numpyro(
    model: str | AbstractLaw | Model,
    runs: Runs | pd.DataFrame | Any | None = None,
) -> Callable[..., None]:
    """The model as a NumPyro model, a function of what it sees of a table.

    Sites are those of `to_pymc`: NumPyro's own distributions, plates ``run`` and ``group``,
    deterministics for the law's parameters where groups are not pooled. Run it in double precision
    (``jax.enable_x64``), since losses differ in the fourth digit.

    Parameters
    ----------
    model
        A `Model`, or a law or its name with default priors for `runs`.
    runs
        The observed runs, or what `read_runs` reads; a `Model` does not need them here.

    Returns
    -------
    callable
        ``(rows: Observations = ...) -> None``. Its argument is ``model.observe(runs)`` of any
        table, by default of `runs`; with ``log_loss=None`` in it, ``log_loss`` is drawn, as for
        runs of which nothing is known but their resources.

    Raises
    ------
    RunsError
        If the table cannot be read or lacks a column.
    UsageError
        If there is no such law, or a law is given without runs.

    Examples
    --------
    >>> import bayescale as bs
    >>> from numpyro.infer.util import log_density
    >>> at = {"L_pivot": 4.0, "floor_fraction": 0.5, "alpha": 0.3, "sigma": 0.1, "nu": 5.0}
    >>> total, trace = log_density(to_numpyro("power_D", bs.load("tiny_lm")), (), {}, at)
    >>> [name for name, site in trace.items() if site["type"] == "deterministic"]
    ['E', 'A']

    It is run and extended like any other::

        from numpyro.infer import MCMC, NUTS
        kernel = NUTS(to_numpyro("chinchilla", runs), dense_mass=True)
        mcmc = MCMC(kernel, num_warmup=500, num_samples=1000, num_chains=4)
        mcmc.run(jax.random.key(0))
        tree = arviz.from_numpyro(mcmc, log_likelihood=True)
    """
    observed = None
    if runs is not None:
        table = runs if isinstance(runs, Runs) else read_runs(runs)
        if not isinstance(model, Model):
            model = Model.for_runs(model, table)
        observed = model.observe(table)
    if not isinstance(model, Model):
        raise UsageError(
            f"a law ({model!r}) was given without runs=, from which its priors take their pivot "
            "and loss level; give the runs, or a Model."
        )

    def program(rows: Observations | None = observed) -> None:
        if rows is None:
            raise UsageError(
                "the model was made without runs; give it what it is to see, model.observe(runs)."
            )
        sites = {}
        for name, prior in model.priors.table.items():
            if prior.is_fixed:
                sites[name] = jnp.asarray(prior.arguments["value"])
            elif shape := model.shapes[name]:
                with numpyro.plate("group", *shape):
                    sites[name] = numpyro.sample(name, _distribution(prior.family, prior.arguments))
            else:
                sites[name] = numpyro.sample(name, _distribution(prior.family, prior.arguments))
        for name, value in _natural(model, sites, jnp).items():
            numpyro.deterministic(name, value)
        noise = model.noise(sites, rows, jnp)
        count = len(next(iter(rows.log_resources.values())))
        with numpyro.plate("run", count):
            numpyro.sample(
                LOG_LOSS, _distribution(noise.family, noise.arguments), obs=rows.log_loss
            )

    return program


def _natural(model: Model, sites: Environment, ops: ArrayNamespace) -> dict[str, Any]:
    """Law parameters in the user's units that are not sampled themselves."""
    if model.pooling is not None:
        return {}
    parameters = model.parameters(sites, ops)
    return {
        p.name: ops.exp(parameters[p.name]) if p.domain.is_positive else parameters[p.name]
        for p in model.law.parameters
        if p.name not in model.free
    }


def _named(family: str, arguments: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(FAMILIES[family].arguments, arguments, strict=True))


def _distribution(family: str, arguments: Environment) -> dist.Distribution:
    """NumPyro's distribution of a family; this package's where NumPyro has none."""
    spelling = FAMILIES[family]
    if spelling.numpyro is None:
        return FamilyDistribution(family, arguments)
    name, keywords = spelling.numpyro
    renamed = dict(zip(spelling.arguments, keywords, strict=True))
    return getattr(dist, name)(**{renamed[n]: value for n, value in arguments.items()})


@final
class FamilyDistribution(dist.Distribution):
    """A family that NumPyro does not have, with this package's density and SciPy's sampler.

    Parameters
    ----------
    family
        A name in `FAMILIES`, of a distribution on the real line.
    arguments
        Its arguments; arrays that broadcast.
    """

    support = constraints.real  # pyright: ignore[reportAssignmentType] (NumPyro's own spelling)
    arg_constraints = {}  # noqa: RUF012
    pytree_data_fields = ("arguments",)
    pytree_aux_fields = ("family",)

    def __init__(self, family: str, arguments: Mapping[str, Any]) -> None:
        self.family, self.arguments = family, dict(arguments)
        shape = jnp.broadcast_shapes(*(jnp.shape(value) for value in arguments.values()))
        super().__init__(batch_shape=shape)

    def log_prob(self, value: Any) -> Any:
        """Log density."""
        return FAMILIES[self.family].log_density(value, jnp, **self.arguments)

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> jax.Array:
        """Draws of shape ``sample_shape + batch_shape``, by SciPy with a seed from the key."""
        shape = (*sample_shape, *self.batch_shape)

        def draw(seed: Any, arguments: Mapping[str, Any]) -> np.ndarray:
            from scipy import stats

            frozen = FAMILIES[self.family].scipy(stats, **jax.tree.map(np.asarray, arguments))
            rng = np.random.default_rng(np.asarray(seed))
            return np.asarray(frozen.rvs(size=shape, random_state=rng), dtype=kind)

        kind = jnp.result_type(float)
        words = jax.random.key_data(key) if jnp.issubdtype(key.dtype, jax.dtypes.prng_key) else key
        out = jax.ShapeDtypeStruct(shape, kind)
        return jax.pure_callback(draw, out, words, self.arguments, vmap_method="sequential")
