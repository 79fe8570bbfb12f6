"""`fit`: from a table of runs and a law to a diagnosed posterior."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from bayescale import engines
from bayescale.aliases import with_aliases
from bayescale.distributions.prior import Prior
from bayescale.engines.engine import Sampling
from bayescale.fitting.own_cuts import own_cuts
from bayescale.fitting.resolve import Fittable, require_options, require_usable, resolve
from bayescale.models.defaults import LAW
from bayescale.models.drift_reference import REFERENCE, Drifting
from bayescale.models.likelihood import AbstractLikelihood
from bayescale.posteriors.checks.audited import audited
from bayescale.posteriors.checks.gate import judged_posterior
from bayescale.posteriors.checks.own_cuts import KEY
from bayescale.posteriors.posterior import Posterior
from bayescale.progress import Progress, shown
from bayescale.runs.table import Runs, read_runs


@with_aliases
def fit(
    runs: Runs | pd.DataFrame | Any,
    law: Fittable = LAW,
    *,
    engine: str = "numpyro",
    likelihood: str | AbstractLikelihood | None = None,
    prior: Mapping[str, Prior | float] | None = None,
    drift: Drifting = REFERENCE,
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
        pivot, likelihood and drift: `prior` then replaces some of its priors and `drift` its drift,
        and `likelihood` is refused (`bayescale.fitting.resolve`).
    engine
        How to draw: a name in ``bs.engines.ENGINES``, which lists them when printed.
    likelihood
        How log loss scatters: a name in ``bs.likelihoods.LIKELIHOODS``, with options in
        parentheses where it has some, or a likelihood itself. By default a Student-t with learned
        degrees of freedom, which outliers move little.
    prior
        What a prior is stated on -> `Prior`, or a number that fixes it: a parameter of the law in
        its own units (``{"E": 1.6}``, ``{"A": bs.Prior.around(400, 0.5)}``), a pivot coordinate or
        a noise parameter. It is the exact prior of that quantity, in place of the defaults of the
        coordinates that it determines (`Model.stating` says which). A number in a formula,
        ``"1.6 + A*N**-alpha"``, fixes the floor.
    drift
        What the law may be wrong by beyond the runs (`bayescale.models.drift`), by default a rate
        that was calibrated on real tables; None takes the law as exact. It does not change the fit.
    draws
        Draws a chain. By default NUTS draws until the smallest ESS is 1000.
    chains
        Number of chains.
    seed
        Seed of everything random; the same seed on the same machine gives the same draws (of
        engine ``"pymc"`` by the same compiled code only).
    progress
        Called with a few words at each stage; by default what takes over 3 s shows itself on a
        terminal's standard error or in a notebook (`bayescale.progress`).

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
        (`bayescale.posteriors.checks.gate`).

    Examples
    --------
    >>> import bayescale as bs
    >>> size = [10 ** (7 + i / 10) for i in range(30)]
    >>> model = bs.Model.at("power", pivot={"N": 1e8})
    >>> known = {"alpha": 0.3, "floor_fraction": 0.6, "sigma": 0.002, "nu": 10.0}
    >>> bs.fit(model.simulate({"N": size}, seed=1, coordinates=known).runs, "power", seed=0)
    Posterior('power', 4 x 1000 draws, engine numpyro, 30 runs, diagnostics ok)
    """
    table = runs if isinstance(runs, Runs) else read_runs(runs)
    require_options(chains=chains, draws=draws, seed=seed)
    sampler = engines.get(engine)
    model = resolve(law, table, likelihood=likelihood, prior=prior, drift=drift)
    require_usable(table, model)
    with shown(progress) as tell:
        result = sampler.sample(model, table, Sampling(draws, chains, seed, tell))
        tell("asking the table's own larger runs")
        cuts = own_cuts(model, table, seed=seed)
        tell("auditing the table")
        found = audited(model, table, seed=seed)
        told = replace(result, facts={**result.facts, **found, **({KEY: cuts} if cuts else {})})
        tell("judging the posterior")
        posterior = judged_posterior(model, table, told, engine=engine, seed=seed)
    posterior.diagnosis.warn(stacklevel=2)
    return posterior
