"""A chunk of tables: the unit of work of `fit_many`, on one machine or on a cluster.

A chunk is padded to one shape and has its own seeds, so that what it gives does not depend on the
process that runs it, nor on how many there are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
import pandas as pd

from bayescale.diagnosis import (
    MAX_DIVERGENT,
    MAX_RHAT,
    MIN_BFMI,
    MIN_ESS,
    Diagnosis,
    bfmi,
    worst_convergence,
)
from bayescale.engines import batch
from bayescale.engines.mode import starts_of
from bayescale.models.density import Density, Numbers
from bayescale.models.draws import Draws
from bayescale.models.model import Model
from bayescale.models.observations import Observations
from bayescale.posteriors.checks.gate import judged_posterior
from bayescale.runs.table import Runs

NAME = "batch"
"""Engine under which a posterior of many goes."""


@dataclass(frozen=True)
class Fitted:
    """Draws of one table and how they were judged.

    Parameters
    ----------
    draws
        Every coordinate and noise parameter, (chain, draw), with the facts of their computation.
    diagnosis
        The gate's verdict on them.
    r_hat, ess
        Largest R-hat and smallest bulk or tail ESS of the free coordinates, on the real line.
    divergences
        Number of divergent draws.
    bfmi
        Smallest estimated Bayesian fraction of missing information of a chain.
    """

    draws: Draws
    diagnosis: Diagnosis
    r_hat: float
    ess: float
    divergences: int
    bfmi: float

    @property
    def coordinates(self) -> Mapping[str, np.ndarray]:
        """Every coordinate and noise parameter, (chain, draw)."""
        return self.draws.coordinates

    @property
    def failed(self) -> bool:
        """Whether another attempt at the chains is worth it, by the thresholds of the gate."""
        return not (
            self.r_hat <= MAX_RHAT
            and self.ess >= MIN_ESS
            and self.divergences <= MAX_DIVERGENT * self.draws.sample_stats["lp"].size
            and self.bfmi >= MIN_BFMI
        )


@dataclass(frozen=True)
class Chunk:
    """Tables that are fitted together.

    Parameters
    ----------
    models, tables
        One a table.
    places
        Position of each among all tables.
    width, rows
        Tables and rows to which the chunk is padded.
    chains, seed
        As for `fit_many`.
    before
        What an earlier attempt gave, one a table, to go on from; none at the first attempt.
    """

    models: Sequence[Model]
    tables: Sequence[Runs]
    places: Sequence[int]
    width: int
    rows: int
    chains: int
    seed: int
    before: Sequence[Fitted] = ()

    def lanes(self, count: int) -> batch.Lanes:
        """The tables as arrays, the last one repeated up to `count`."""
        order = [min(i, len(self.tables) - 1) for i in range(count)]
        density = [Density(self.models[i]) for i in order]
        rngs = [np.random.default_rng([self.seed, self.places[i]]) for i in order]
        return batch.Lanes(
            observed=batch.stack(
                [_padded(self.models[i], self.tables[i], self.rows) for i in order]
            ),
            numbers=batch.stack([Numbers.of(self.models[i]) for i in order]),
            starts=np.stack(
                [starts_of(d, batch.STARTS, rng) for d, rng in zip(density, rngs, strict=True)]
            ),
            keys=np.array([self.places[i] for i in order], dtype=np.uint32),
        )


def _padded(model: Model, runs: Runs, rows: int) -> Observations:
    """Observations of a table, filled up with copies of its last row that weigh nothing."""
    extra = rows - len(runs)
    filler = pd.concat([runs.table, runs.table.iloc[[-1] * extra]], ignore_index=True)
    # Each is a run of its own, so that none comes before a row that counts.
    names = runs.table["run"].astype(str).to_list() + [f"\x00filler {i}" for i in range(extra)]
    filled = replace(runs, table=filler.assign(run=names))
    weight = np.append(np.ones(len(runs)), np.zeros(extra))
    return model.observe(filled)._replace(weight=weight)


def fit_chunk(chunk: Chunk, devices: Sequence[Any] | None = None) -> list[Fitted]:
    """Draw from the posteriors of a chunk once, and judge each."""
    parts = len(devices) if devices else 1
    width = parts * -(-chunk.width // parts)
    lanes, after, effort = _with_keys(chunk.lanes(width), chunk.seed), None, batch.FIRST
    if chunk.before:
        effort = batch.SECOND
        positions = [
            Density(model).unconstrain(one.coordinates)
            for model, one in zip(chunk.models, chunk.before, strict=True)
        ]
        after = np.stack([positions[min(i, len(positions) - 1)] for i in range(width)])
    draws = batch.sample(
        Density(chunk.models[0]),
        lanes,
        effort=effort,
        chains=chunk.chains,
        sharding=_sharding(devices),
        after=after,
    )
    return [fitted_of(chunk, i, draws, effort) for i in range(len(chunk.tables))]


def _with_keys(lanes: batch.Lanes, seed: int) -> batch.Lanes:
    """A random key a table, from the seed and its position among all tables."""
    base = jax.random.key(seed)
    return lanes._replace(keys=jax.vmap(jax.random.fold_in, in_axes=(None, 0))(base, lanes.keys))


def _sharding(devices: Sequence[Any] | None) -> Any:
    if not devices:
        return None
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    return NamedSharding(Mesh(np.array(devices), ("table",)), PartitionSpec("table"))


def fitted_of(chunk: Chunk, index: int, draws: batch.BatchDraws, effort: batch.Effort) -> Fitted:
    """Draws of one table of a chunk, judged."""
    model, positions = chunk.models[index], draws.positions[index]
    names = ("lp", "diverging", "energy", "acceptance_rate")
    one = Draws(
        {n: np.asarray(v) for n, v in Density(model).constrain(positions).items()},
        {name: getattr(draws, name)[index] for name in names},
        {**_searched(chunk, index, draws), "target_acceptance": effort.acceptance},
        batch.PACKAGES,
    )
    r_hat, ess = np.nan, np.nan
    with np.errstate(all="ignore"):
        if np.all(np.isfinite(positions)):
            r_hat, ess = worst_convergence(positions)
        least = float(np.min(bfmi(draws.energy[index])))
    judged = judged_posterior(model, chunk.tables[index], one, engine=NAME, seed=chunk.seed)
    diverged = int(draws.diverging[index].sum())
    return Fitted(one, judged.diagnosis, r_hat, ess, diverged, least)


def _searched(chunk: Chunk, index: int, draws: batch.BatchDraws) -> dict[str, int]:
    """Attempts, their warm-up, and the search for the mode, which only the first one makes."""
    if not chunk.before:
        found = {"attempts": 1, "warmup": sum(batch.WARMUP)}
        return found | {"mode_agreeing": int(draws.agreeing[index]), "mode_starts": batch.STARTS}
    first = chunk.before[index].draws.facts
    return {**first, "attempts": first["attempts"] + 1, "warmup": batch.WARMUP[1]}
