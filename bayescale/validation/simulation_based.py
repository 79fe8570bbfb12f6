"""Simulation-based calibration: whether the posterior is what the model says it is.

Parameters are drawn from the prior, a table is simulated, the posterior of the table is sampled,
and the rank of what was drawn among the posterior draws is noted. If model, Jacobians, noise and
sampler are right, ranks are uniform for every parameter and every function of parameters and data
(Talts et al. 2018; Modrak et al. 2023 for the log likelihood). Errors show as slopes or humps of
the empirical distribution of ranks, outside a band that uniform ranks leave with known probability
(Sailynoja et al. 2022, by ArviZ).
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float

from bayescale import cost as costs
from bayescale.diagnosis import Status
from bayescale.errors import DiagnosticsWarning, UsageError
from bayescale.fitting.many import Fits, fit_many
from bayescale.models.density import Density
from bayescale.models.model import Model
from bayescale.models.simulation import Simulation
from bayescale.models.thinning import thinned
from bayescale.progress import Progress
from bayescale.runs.table import Runs
from theory.optimum import closed_form_allocation, has_closed_form, solve_allocation

LEVEL = 0.99
"""Probability with which uniform ranks stay inside the band, for one quantity."""

SIMULATIONS = 2000
"""Sets of uniform ranks simulated to find the band."""

RANKED = 250
"""Posterior draws, evenly thinned, among which a rank is taken."""


@dataclass(frozen=True, eq=False, repr=False)
class Ranks:
    """Ranks of simulated values among posterior draws.

    Parameters
    ----------
    ranks
        One row a table, one column a quantity; fractions in [0, 1], uniform if all is right.
    fits
        The posteriors.
    refused
        How many tables the gate refused; their ranks count all the same.
    seed
        Seed of truths, tables and fits.
    """

    ranks: pd.DataFrame
    fits: Fits
    refused: int
    seed: int

    @cached_property
    def verdicts(self) -> pd.DataFrame:
        """Whether ranks stay inside the band; one row a quantity.

        Returns
        -------
        pandas.DataFrame
            Columns: ``uniform`` (inside the 99% simultaneous band), ``p`` (Kolmogorov and
            Smirnov), ``mean`` (0.5 if right; below, the posterior is too high) and ``spread`` (sd
            over that of uniform ranks: below 1 the posterior is too wide, above it too narrow).
        """
        from scipy import stats

        rows = {}
        for name in self.ranks:
            values = self.ranks[name].to_numpy()
            rows[name] = {
                "uniform": inside_band(values),
                "p": float(stats.kstest(values, "uniform").pvalue),
                "mean": float(values.mean()),
                "spread": float(values.std() * np.sqrt(12.0)),
            }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("quantity")

    @property
    def uniform(self) -> bool:
        """Whether all quantities are inside their bands."""
        return bool(self.verdicts["uniform"].all())

    def to_tree(self) -> xr.DataTree:
        """Ranks as ArviZ's plots of PIT values take them (group ``prior_sbc``)."""
        data = {name: (("chain", "draw"), self.ranks[name].to_numpy()[None]) for name in self.ranks}
        return xr.DataTree.from_dict({"prior_sbc": xr.Dataset(data)})

    def __repr__(self) -> str:
        bad = [str(name) for name in self.verdicts.index if not self.verdicts.loc[name, "uniform"]]
        told = f"not uniform: {', '.join(bad)}" if bad else "uniform for every quantity"
        return f"Ranks of {len(self.ranks)} tables, {told}; {self.refused} refused by the gate"


def simulation_based_calibration(
    model: Model,
    design: Runs | pd.DataFrame | Mapping[str, Any],
    *,
    replicates: int = 500,
    fitted: Model | None = None,
    compute: float | None = None,
    cost: str = "6ND",
    seed: int = 0,
    progress: Progress | None = None,
    client: Any = None,
) -> Ranks:
    """Rank prior draws among the posteriors of tables simulated from them.

    Parameters
    ----------
    model
        What simulates.
    design
        A column for each resource; one row a run.
    replicates
        Number of tables.
    fitted
        What is fitted, where it is not the same model: a planted error must be found.
    compute
        Budget in FLOP at which ``log N*`` and ``log L*`` are ranked, for laws that plan with
        `cost`; 100 times the largest run by default.
    cost
        Cost model.
    seed
        Seed of everything random.
    progress, client
        As for `fit_many`.

    Returns
    -------
    Ranks

    Raises
    ------
    UsageError
        If there are fewer than 20 replicates.
    """
    if replicates < 20:
        raise UsageError(f"calibration needs at least 20 replicates; got {replicates}.")
    streams = np.random.SeedSequence(seed).generate_state(replicates)
    made = [model.simulate(design, seed=int(stream)) for stream in streams]
    chosen = model if fitted is None else fitted
    tables = [one.runs for one in made]
    with warnings.catch_warnings():
        # Among many tables some look odd by chance; the result counts those that are refused.
        warnings.simplefilter("ignore", DiagnosticsWarning)
        fits = fit_many(tables, chosen, seed=seed, progress=progress, client=client)
    optimum = _optimum(model, made[0].runs, compute, cost)
    rows = [
        _ranks(chosen, simulation, fits.fitted[index].coordinates, optimum, seed + index)
        for index, simulation in enumerate(made)
    ]
    refused = sum(one.diagnosis.status is Status.REFUSE for one in fits.fitted)
    return Ranks(pd.DataFrame(rows), fits, refused, seed)


Optimum = Callable[[Mapping[str, Any]], dict[str, np.ndarray]]


def _optimum(model: Model, runs: Runs, compute: float | None, cost: str) -> Optimum:
    """``log N*`` and ``log L*`` of coordinates (draw,); nothing for laws that do not plan."""
    spent = costs.product(cost)
    law = model.law
    if set(spent.resources) != set(law.resources):
        return lambda coordinates: {}
    logs = {r.name: np.log(runs.column(r.name)) for r in law.resources}
    budget = 100.0 * np.exp(np.max(spent.log_cost(logs))) if compute is None else compute
    orders = {resource: spent.orders[resource] for resource in law.resources}
    scaled = np.array([[np.log(budget) - spent.log_factor]])
    find = closed_form_allocation if has_closed_form(law, orders) else solve_allocation

    def optimum(coordinates: Mapping[str, Any]) -> dict[str, np.ndarray]:
        columns = {n: v[:, None] for n, v in model.parameters(coordinates, np).items()}
        at = find(law, columns, scaled, orders)
        log_loss = law.log_loss(columns, at, np)
        first = law.resources[0].name
        return {f"log {first}*": at[first][:, 0], "log L*": log_loss[:, 0]}

    return optimum


def _ranks(
    model: Model,
    simulation: Simulation,
    coordinates: Mapping[str, np.ndarray],
    optimum: Optimum,
    seed: int,
) -> dict[str, float]:
    """Ranks of one table."""
    flat = {name: values.reshape(-1) for name, values in coordinates.items()}
    chosen = thinned(len(flat[model.free[0]]), RANKED)
    draws = {name: values[chosen] for name, values in flat.items()}
    truth = {n: np.atleast_1d(simulation.coordinates[n]) for n in draws if model.shapes[n] == ()}
    density, observed = Density(model), model.observe(simulation.runs)

    def quantities(at: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        found = {name: at[name] for name in model.free}
        found |= optimum(at)
        found["log likelihood"] = np.asarray(density.log_likelihood(at, observed, np)).sum(-1)
        return found

    rng = np.random.default_rng(seed)
    seen, drawn = quantities(truth), quantities(draws)
    return {name: _rank(seen[name][0], drawn[name], rng) for name in seen}


def _rank(value: float, draws: Float[np.ndarray, " draw"], rng: np.random.Generator) -> float:
    """Fraction of draws below a value, ties and the gap to the next drawn at random."""
    below, equal = np.sum(draws < value), np.sum(draws == value)
    return float((below + rng.random() * (equal + 1)) / (len(draws) + 1))


def inside_band(ranks: Float[np.ndarray, " table"], level: float = LEVEL) -> bool:
    """Whether the empirical distribution of ranks stays inside ArviZ's simultaneous band."""
    _, difference, low, high = ecdf_difference(ranks, level)
    return bool(np.all((low <= difference) & (difference <= high)))


def ecdf_difference(
    ranks: Float[np.ndarray, " table"], level: float = LEVEL
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Where ranks are looked at, their ECDF less the uniform one, and the simultaneous band."""
    at, low, high = _band(len(ranks), level)
    ecdf = np.searchsorted(np.sort(ranks), at, side="right") / len(ranks)
    return at, ecdf - at, low - at, high - at


@lru_cache(maxsize=32)
def _band(count: int, level: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places and band of an ECDF of `count` uniform ranks, by ArviZ; it does not know the ranks."""
    from arviz_stats.ecdf_utils import ecdf_pit

    rng = np.random.default_rng(0)  # of the simulation that finds the band
    at, _, low, high = ecdf_pit(np.linspace(0, 1, count), level, SIMULATIONS, rng=rng)
    return at, low, high
