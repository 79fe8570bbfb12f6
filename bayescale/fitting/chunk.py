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

from bayescale.diagnosis import MAX_DIVERGENT, MAX_RHAT, MIN_BFMI, MIN_ESS, TAIL_PROB, Diagnosis
from bayescale.distributions.families import FAMILIES
from bayescale.distributions.prior import Prior
from bayescale.engines import batch
from bayescale.engines.mode import starts_of
from bayescale.models.density import Density, Numbers
from bayescale.models.model import Model
from bayescale.models.observations import Observations
from bayescale.models.priors import Priors
from bayescale.runs.table import Runs


@dataclass(frozen=True)
class Fitted:
    """Draws of one table and how they were judged.

    Parameters
    ----------
    coordinates
        Every coordinate and noise parameter, (chain, draw).
    sample_stats
        ArviZ's names -> arrays (chain, draw).
    r_hat, ess
        Largest R-hat and smallest bulk or tail ESS of the coordinates.
    divergences
        Number of divergent draws.
    bfmi
        Smallest estimated Bayesian fraction of missing information of a chain.
    attempts
        1, or 2 where the first failed its diagnostics.
    agreeing
        How many searches for the mode ended at the best one.
    """

    coordinates: Mapping[str, np.ndarray]
    sample_stats: Mapping[str, np.ndarray]
    r_hat: float
    ess: float
    divergences: int
    bfmi: float
    attempts: int
    agreeing: int

    @property
    def diagnosis(self) -> Diagnosis:
        """The gate's verdict, by the thresholds of a single fit."""
        refusals = []
        if not self.r_hat <= MAX_RHAT:
            refusals.append(
                f"the chains disagree (R-hat up to {self.r_hat:.3f}, at most {MAX_RHAT} is "
                "allowed); fit this table alone with engine='numpyro', or set a prior."
            )
        if not self.ess >= MIN_ESS:
            refusals.append(
                f"too few effective draws (smallest ESS {self.ess:.0f}, at least {MIN_ESS:.0f} is "
                "needed); fit this table alone with engine='numpyro'."
            )
        total = next(iter(self.coordinates.values())).size
        warned = ()
        if self.divergences:
            sentence = (
                f"{self.divergences} of {total} draws diverged; fit this table alone with "
                "engine='numpyro', or set a tighter prior."
            )
            if self.divergences > MAX_DIVERGENT * total:
                refusals.append(sentence)
            else:
                warned = (sentence,)
        if not self.bfmi >= MIN_BFMI:
            refusals.append(
                f"the tails are not explored (BFMI {self.bfmi:.2f}, at least {MIN_BFMI} is "
                "needed); set a tighter prior on the noise."
            )
        return Diagnosis(tuple(refusals), warned)


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


def form_of(model: Model) -> Model:
    """The model with other numbers in its priors: what the compiled program depends on.

    All tables of one law, likelihood and families of priors have the same form, so that one program
    is compiled for them in a process; their own numbers are data (`Numbers`).
    """
    table = {name: _unit(prior) for name, prior in model.priors.table.items()}
    pivot = dict.fromkeys(model.priors.pivot, 1.0)
    return replace(model, priors=Priors(table, pivot, model.priors.bounds), drift=None)


def _unit(prior: Prior) -> Prior:
    """A prior of the same family with arguments 0 and 1."""
    if prior.is_fixed:
        return Prior.fixed(0.5)
    family = FAMILIES[prior.family]
    ones = {"upper", *family.positive}
    return Prior(prior.family, **{n: float(n in ones) for n in family.arguments})


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
        Density(form_of(chunk.models[0])),
        lanes,
        effort=effort,
        chains=chunk.chains,
        sharding=_sharding(devices),
        after=after,
    )
    fitted = [_judged(model, draws, i) for i, model in enumerate(chunk.models)]
    if not chunk.before:
        return fitted
    return [
        replace(one, attempts=first.attempts + 1, agreeing=first.agreeing)
        for one, first in zip(fitted, chunk.before, strict=True)
    ]


def _with_keys(lanes: batch.Lanes, seed: int) -> batch.Lanes:
    """A random key a table, from the seed and its position among all tables."""
    base = jax.random.key(seed)
    return lanes._replace(keys=jax.vmap(jax.random.fold_in, in_axes=(None, 0))(base, lanes.keys))


def _sharding(devices: Sequence[Any] | None) -> Any:
    if not devices:
        return None
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    return NamedSharding(Mesh(np.array(devices), ("table",)), PartitionSpec("table"))


def _judged(model: Model, draws: batch.BatchDraws, index: int) -> Fitted:
    from arviz_stats.base import array_stats

    stats: Any = array_stats  # what its functions return depends on the shape
    positions = draws.positions[index]
    columns = np.moveaxis(positions, -1, 0)
    finite = bool(np.all(np.isfinite(columns)))
    with np.errstate(all="ignore"):
        r_hat = float(np.max(stats.rhat(columns))) if finite else np.nan
        bulk = stats.ess(columns) if finite else np.nan
        tail = stats.ess(columns, method="tail", prob=TAIL_PROB) if finite else np.nan
        energy = draws.energy[index]
        bfmi = np.mean(np.diff(energy, axis=1) ** 2, axis=1) / np.var(energy, axis=1)
    names = ("lp", "diverging", "energy", "acceptance_rate")
    return Fitted(
        coordinates={n: np.asarray(v) for n, v in Density(model).constrain(positions).items()},
        sample_stats={name: getattr(draws, name)[index] for name in names},
        r_hat=r_hat,
        ess=float(np.min([np.min(bulk), np.min(tail)])),
        divergences=int(draws.diverging[index].sum()),
        bfmi=float(np.min(bfmi)),
        attempts=1,
        agreeing=int(draws.agreeing[index]),
    )
