"""`fit`: from a table of runs and a law to a diagnosed posterior."""

import os
import warnings
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr

from bayescale import engines
from bayescale.diagnosis import (
    Diagnosis,
    Status,
    diagnose_attempts,
    diagnose_chains,
    diagnose_importance,
    diagnose_starts,
)
from bayescale.distributions.prior import Prior
from bayescale.errors import DiagnosticsWarning, UsageError
from bayescale.models.drift import Drift
from bayescale.models.likelihood import AbstractLikelihood
from bayescale.models.model import DRIFT, Model
from bayescale.posteriors.checks.gate import judge
from bayescale.posteriors.labelled import record_of, to_tree
from bayescale.posteriors.posterior import Posterior
from bayescale.progress import Progress
from bayescale.runs.identifiable import require_domain, require_identifiable
from bayescale.runs.table import Runs, read_runs
from theory.declaration.law import AbstractLaw


def fit(
    runs: Runs | pd.DataFrame | str | os.PathLike,
    law: str | AbstractLaw | Model = "chinchilla",
    *,
    engine: str = "numpyro",
    likelihood: str | AbstractLikelihood | None = None,
    prior: Mapping[str, Prior | float] | None = None,
    drift: Drift | None = DRIFT,
    draws: int | None = None,
    chains: int = 4,
    seed: int = 0,
    progress: Progress | None = None,
) -> Posterior:
    """Fit a law to a table of runs.

    The log loss of a run is the law's, ``log L(N, D)``, plus noise. Sampling is in pivot
    coordinates (`theory.declaration.chart`); the result is in the user's units.

    Parameters
    ----------
    runs
        A runs table, or what `read_runs` reads.
    law
        A law or its name (see ``theory.laws.catalogue()``), a formula such as
        ``"E + A*N**-alpha + B*D**-beta"`` (`parse_law`), or a whole `Model` with its own priors,
        pivot and likelihood.
    engine
        ``"numpyro"`` (NUTS) or ``"laplace"`` (mode, curvature, importance resampling).
    likelihood
        ``"studentt"`` (robust, the default) or ``"normal"``, or a likelihood object.
    prior
        Coordinate or noise parameter -> `Prior`, in place of the default; a number fixes it.
    drift
        What the law may be wrong by beyond the runs (`bayescale.models.drift`), by default a rate
        that was calibrated on real tables; None takes the law as exact. It does not change the fit.
    draws
        Draws a chain. By default NUTS draws until the smallest ESS is 1000.
    chains
        Number of chains.
    seed
        Seed of everything random; the same seed on the same machine gives the same draws.
    progress
        Called with a few words at each stage.

    Returns
    -------
    Posterior

    Raises
    ------
    RunsError
        If the table cannot be used, or does not identify the law.
    UsageError
        If a name or number among the options is wrong.
    DiagnosticsRefused
        If the Laplace engine finds no mode.

    Warns
    -----
    DiagnosticsWarning
        If the posterior failed its diagnostics; plans and predictions from it are then refused.
        Also where it converged but the runs or the law are doubtful
        (`bayescale.posteriors.checks.judge`).

    Examples
    --------
    >>> import bayescale as bs
    >>> post = bs.fit(bs.load("tiny_lm"), law="share", seed=0)
    >>> post
    Posterior('share', 4 x 1000 draws, engine numpyro, 152 runs, diagnostics ok)
    """
    table = runs if isinstance(runs, Runs) else read_runs(runs)
    for name, number, least in (("chains", chains, 1), ("draws", draws, 4)):
        if number is not None and number < least:
            raise UsageError(f"{name} must be at least {least}; got {number}.")
    if seed < 0:
        raise UsageError(f"seed must not be negative; got {seed}.")
    sampler = engines.get(engine)
    if isinstance(law, Model):
        if likelihood is not None:
            raise UsageError(
                f"likelihood={likelihood!r} was given beside a model, which has its own "
                f"('{law.likelihood.name}'); build the model with the likelihood you want."
            )
        model = replace(law, priors=law.priors.replace(prior or {}))
        if drift is not DRIFT:
            model = replace(model, drift=drift)
    else:
        noise = "studentt" if likelihood is None else likelihood
        model = Model.for_runs(law, table, likelihood=noise, prior=prior, drift=drift)
    free = [name for name in model.free if name in model.law.chart.names]
    names = [resource.name for resource in model.law.resources]
    require_identifiable(table, names, len(free))
    require_domain(table, model.law.domain, model.law.name)
    result = sampler.sample(
        model, table, draws=draws, chains=chains, seed=seed, progress=progress or _silent
    )
    tree = to_tree(model, table, result)
    if sampler.markov_chain:
        fixed_names = set(model.fixed) | _constant(tree)
        judged = [n for n in map(str, tree["posterior"].data_vars) if n not in fixed_names]
        diagnosis = diagnose_chains(tree, judged)
    else:
        diagnosis = diagnose_importance(result.facts)
    diagnosis += diagnose_attempts(diagnosis, result.facts) + diagnose_starts(result.facts)
    record = record_of(table, engine=engine, seed=seed, facts=result.facts)
    posterior = Posterior(model.law, model, tree, diagnosis, record)
    posterior = replace(posterior, diagnosis=diagnosis + judge(posterior))
    _warn(posterior.diagnosis)
    return posterior


def _constant(tree: xr.DataTree) -> set[str]:
    posterior = tree["posterior"].data_vars
    return {str(name) for name, values in posterior.items() if np.ptp(values.to_numpy()) == 0}


def _silent(stage: str) -> None:
    pass


def _warn(diagnosis: Diagnosis) -> None:
    if diagnosis.status is not Status.OK:
        warnings.warn(
            f"diagnostics: {diagnosis.status}. {' '.join(diagnosis.reasons)}",
            DiagnosticsWarning,
            stacklevel=3,
        )
