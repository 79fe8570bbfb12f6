"""What of a posterior is the prior's, and what the data's: power scaling, by ArviZ.

Prior and likelihood are raised to a power near one; how fast a parameter's posterior moves, in
the cumulative Jensen-Shannon distance, is its sensitivity to each (Kallioinen et al. 2024). The
prior is scaled as a density on the scale on which is sampled (log of a positive coordinate, logit
of a fraction), where that widens or narrows it about its median.
"""

from typing import Any

import numpy as np
import pandas as pd

from bayescale.diagnosis import Diagnosis, beside
from bayescale.models import pointwise
from bayescale.models.model import Model
from bayescale.posteriors.posterior import Posterior
from theory.declaration.chart import FLOOR_FRACTION
from theory.declaration.symbols import Role

SENSITIVE = 0.05
"""Above this a parameter depends on what was scaled (Kallioinen et al. 2024)."""

ALPHAS = (0.99, 1.01)
"""Powers."""

UNLEARNED = 0.9
"""A posterior is called the prior's where its sd is above this fraction of the prior's, both on
the scale on which is sampled: the runs then tell less than a fifth of what is told."""

KNOWN = 0.1
"""An exponent or a floor whose prior is narrower than this, on that scale, was put in on purpose;
the default priors are four times as wide."""

PRIOR_DRAWS = 2000


def sensitivity(posterior: Posterior, *, seed: int = 0) -> pd.DataFrame:
    """Which numbers are the prior's, and which the data's: power-scaling sensitivity by ArviZ.

    Parameters
    ----------
    posterior
        Fitted to runs.
    seed
        Seed of the draws from the prior.

    Returns
    -------
    pandas.DataFrame
        One row for each of the law's own parameters and of the noise's. Columns: sensitivity to
        the ``prior`` and to the ``likelihood`` (above 0.05 it matters; Kallioinen et al. 2024),
        ``sd_ratio`` (posterior over prior standard deviation, of the logarithm of a positive
        parameter; 1 where nothing was learnt) and ``diagnosis``: "the data's", "the prior's"
        (sensitive to the prior and not to the data, or an sd ratio above 0.9), or "prior and data
        may disagree" (sensitive to both).

    Raises
    ------
    UsageError
        If the draws came without a likelihood or without runs.
    """
    model, _ = posterior.fitted_model
    total = posterior.log_likelihood().sum(axis=1)
    chains = posterior.draws.sizes["chain"]
    return sensitivity_table(model, posterior.sites, total, chains=chains, seed=seed)


def sensitivity_table(
    model: Model, sites: pointwise.Sites, log_likelihood: np.ndarray, *, chains: int, seed: int
) -> pd.DataFrame:
    """Sensitivity of the law's parameters and of the noise to prior and likelihood.

    Parameters
    ----------
    model
        Law, priors and likelihood.
    sites
        Draws of what was sampled, chains joined.
    log_likelihood
        Of all runs together at each draw.
    chains
        Number of chains.
    seed
        Seed of the draws from the prior.
    """
    import xarray as xr
    from arviz_stats import psense

    own = _own_parameters(model, sites)
    parts = {
        "posterior": own,
        "log_prior": {"prior": pointwise.log_prior(model, sites)},
        "log_likelihood": {"runs": log_likelihood},
    }
    tree = xr.DataTree.from_dict(
        {
            group: xr.Dataset(
                {n: (("chain", "draw"), v.reshape(chains, -1)) for n, v in values.items()}
            )
            for group, values in parts.items()
        }
    )
    before = prior_draws(model, np.random.default_rng(seed), PRIOR_DRAWS)
    spread = {n: float(np.std(v)) for n, v in _own_parameters(model, before).items()}
    scaled: dict[str, Any] = {g: psense(tree, group=g) for g in ("prior", "likelihood")}
    rows = {}
    for name, values in own.items():
        prior, likelihood = (float(scaled[g][name]) for g in ("prior", "likelihood"))
        narrowed = float(np.std(values)) / spread[name]
        rows[name] = {
            "prior": prior,
            "likelihood": likelihood,
            "sd_ratio": narrowed,
            "diagnosis": _verdict(prior, likelihood, narrowed),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("parameter")


def _verdict(prior: float, likelihood: float, sd_ratio: float) -> str:
    if sd_ratio > UNLEARNED or (prior > SENSITIVE > likelihood):
        return "the prior's"
    if prior > SENSITIVE:
        return "prior and data may disagree" if likelihood > SENSITIVE else "the prior's"
    return "the data's"


def prior_draws(model: Model, rng: np.random.Generator, count: int) -> dict[str, np.ndarray]:
    """Draws of everything that is sampled, from the prior."""
    return {
        name: np.full(count, prior.arguments["value"])
        if prior.is_fixed
        else prior.sample(rng, (count, *model.shapes[name]))
        for name, prior in model.priors.table.items()
    }


def _own_parameters(model: Model, sites: pointwise.Sites) -> dict[str, np.ndarray]:
    """The law's own parameters and the noise's: logarithms of positive ones; none that is fixed."""
    scalars = {name: values for name, values in sites.items() if not model.shapes[name]}
    out = {name: np.asarray(v) for name, v in model.parameters(scalars, np).items()}
    noise = [name for name in model.likelihood.priors() if name in model.free]
    out |= {name: pointwise.real(model, name, sites[name]) for name in noise}
    return {name: out[name] for name in out if name in _wanted(model) and np.ptp(out[name]) > 0}


def _wanted(model: Model) -> list[str]:
    return [p.name for p in model.law.parameters] + list(model.likelihood.priors())


def prior_spread(model: Model, name: str) -> float:
    """Prior sd of a site, on the scale on which is sampled."""
    levels = (np.arange(1000) + 0.5) / 1000
    return float(np.std(pointwise.real(model, name, model.priors.table[name].scipy().ppf(levels))))


def contraction(model: Model, name: str, values: np.ndarray) -> float:
    """Posterior sd of a site over its prior's, both on the scale on which is sampled."""
    return float(np.std(pointwise.real(model, name, values))) / prior_spread(model, name)


def judge_exponents(model: Model, sites: pointwise.Sites) -> Diagnosis:
    """Warn of exponents of which the runs say nothing: the posterior is as wide as the prior."""
    warnings = []
    for coordinate in model.chart.coordinates:
        parameter, name = coordinate.parameter, coordinate.name
        if parameter is None or parameter.role is not Role.EXPONENT or name not in model.free:
            continue
        ratio = contraction(model, name, sites[name])
        if ratio > UNLEARNED and prior_spread(model, name) > KNOWN:
            over = f" over more sizes of {parameter.of.name}" if parameter.of is not None else ""
            warnings.append(
                f"the runs say nothing about {name}: its posterior is as wide as its prior (sd "
                f"ratio {beside(ratio, UNLEARNED, 2)}); add runs{over}, or set a prior that you "
                "can defend."
            )
    return Diagnosis(warnings=tuple(warnings))


def judge_floor(model: Model, sites: pointwise.Sites, log_likelihood: np.ndarray) -> Diagnosis:
    """Warn where the floor is the prior's: sensitive to the prior and not to the likelihood.

    Parameters
    ----------
    model
        Law, priors and likelihood.
    sites
        Draws of what was sampled.
    log_likelihood
        Of all runs together at each draw.
    """
    from arviz_stats.base import array_stats

    stats: Any = array_stats
    floor = model.law.floor
    told = [n for n in (FLOOR_FRACTION, "" if floor is None else floor.name) if n in model.free]
    if floor is None or not told:
        return Diagnosis()
    site = told[-1]
    if site == floor.name and prior_spread(model, site) <= KNOWN:
        return Diagnosis()
    values = np.asarray(model.parameters(_scalars(model, sites), np)[floor.name])
    found = {}
    for group, logs in {
        "prior": pointwise.log_prior(model, sites),
        "likelihood": log_likelihood,
    }.items():
        weights = [np.exp(stats.power_scale_lw(logs, alpha=alpha)) for alpha in ALPHAS]
        weights = [w[None, :] / w.sum() for w in weights]
        found[group] = float(
            stats.power_scale_sense(values[None, :], *weights, *ALPHAS, chain_axis=0, draw_axis=1)
        )
    ratio = contraction(model, site, sites[site])
    weak = found["prior"] > SENSITIVE > found["likelihood"]
    if not (weak or ratio > UNLEARNED):
        return Diagnosis()
    name = floor.name
    return Diagnosis(
        warnings=(
            f"{name} is the prior's, not the data's (sensitivity "
            f"{beside(found['prior'], SENSITIVE, 2)} to the prior, "
            f"{beside(found['likelihood'], SENSITIVE, 2)} to the data): the runs do not bend "
            f"towards a floor, so a plan far beyond them rests on the prior of {name}; set "
            "one that you can defend, or add larger runs.",
        )
    )


def _scalars(model: Model, sites: pointwise.Sites) -> dict[str, np.ndarray]:
    return {name: values for name, values in sites.items() if not model.shapes[name]}
