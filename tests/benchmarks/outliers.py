"""Gross errors among good runs, by noise model: how far they move alpha, and whether it finds them.

    python tests/benchmarks/outliers.py planted --variant gross_errors --engine laplace
    python tests/benchmarks/outliers.py sizes --variant gross_errors
    BAYESCALE_DATA=... python tests/benchmarks/outliers.py real --variant gross_errors

Simulated tables of the additive law are fitted clean, with five runs spoilt, and with those five
dropped. `planted`: sixteen tables of 40 to 60 runs, noise .005, errors of 10 to 80%, four in five
too high, by the Laplace engine or by NUTS. `sizes`: tables of 40, 80 and 160 runs, noise .005 and
.02, five errors of .1, .5 or 2 in log loss of random sign, two seeds of each, by the Laplace
engine. Of each: by how many posterior sds of the clean fit alpha moves (also to the fit without the
five, the best that can be had), and whether the five are those of highest outlier probability.

`real` fits the past of every setting of `extrapolation.py` (those of some numbers of rows by
--rows, since each takes minutes) and scores, without drift, each run left out (PSIS-LOO) and the
runs beyond: log predictive density and coverage of central intervals.

Each adds to `outliers.json`.
"""

import argparse
import json
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from extrapolation import Setting, settings
from scipy import stats
from scipy.special import logsumexp

import bayescale as bs
from bayescale.diagnosis import smooth_weights
from bayescale.models.model import Model
from bayescale.models.noise import Noise
from bayescale.models.outliers import outliers
from bayescale.models.pointwise import noise_at
from bayescale.validation.forecast import law_at

jax.config.update("jax_enable_x64", True)

RESULTS = Path(__file__).with_suffix(".json")
PIVOT = {"N": 1e8, "D": 1e10}
LEVEL = 3.2
TRUTH = {"L_pivot": LEVEL, "floor_fraction": 0.55, "share_N": 0.45, "alpha": 0.33, "beta": 0.29}
GROUPS = (32, 64, 128, 300)
"""Tables of up to so many rows are fitted together; those of more are left out of `real`."""


@dataclass(frozen=True)
class Variant:
    """A noise model, with values at which some of its parameters are held."""

    likelihood: str
    held: dict[str, float]

    def model(self, runs: bs.Runs | None = None, law: str = "chinchilla") -> Model:
        if runs is None:
            return Model.at(
                law, pivot=PIVOT, level=LEVEL, likelihood=self.likelihood, prior=self.held
            )
        return Model.for_runs(law, runs, likelihood=self.likelihood, prior=self.held)


SIZES, NOISES, SEEDS = (0.1, 0.5, 2.0), (0.005, 0.02), 2
"""Of `sizes`: errors of log loss, noise scales, tables of each pair."""

VARIANTS = {
    "studentt": Variant("studentt", {}),
    "studentt, nu 4": Variant("studentt", {"nu": 4.0}),
    "gross_errors": Variant("gross_errors", {}),
    "gross_errors, nu 1000": Variant("gross_errors", {"nu": 1000.0}),
    "gross_errors, fraction .05": Variant("gross_errors", {"fraction": 0.05}),
}
"""Of very many degrees of freedom the good runs are Normal."""


class Planted(NamedTuple):
    """A clean table, the same with five gross errors, the same without them, and which they are."""

    clean: bs.Runs
    spoilt: bs.Runs
    dropped: bs.Runs
    bad: np.ndarray


def planted(
    seed: int,
    sigma: float = 0.005,
    rows: int | None = None,
    errors: Callable[[np.random.Generator], np.ndarray] | None = None,
) -> Planted:
    """By default the tables of tests/test_bayescale/models/test_outliers.py."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(40, 61)) if rows is None else rows
    sizes = {name: at * np.exp(rng.uniform(-3, 3, count)) for name, at in PIVOT.items()}
    model = Model.at("chinchilla", pivot=PIVOT, likelihood="normal")
    clean = model.simulate(sizes, seed=seed, coordinates={**TRUTH, "sigma": sigma}).runs
    bad, loss = rng.choice(count, 5, replace=False), clean.loss.copy()
    if errors is None:
        loss[bad] *= np.exp(rng.uniform(0.1, 0.6, 5) * np.where(rng.random(5) < 0.8, 1, -1))
    else:
        loss[bad] *= np.exp(errors(rng))
    spoilt = replace(clean, table=clean.table.assign(loss=loss))
    return Planted(clean, spoilt, clean.select(~np.isin(np.arange(count), bad)), bad)


def of_size(size: float) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: size * rng.choice([-1.0, 1.0], 5)


def moved(first: bs.Posterior, second: bs.Posterior) -> float:
    one, other = (post.draws["alpha"].to_numpy() for post in (first, second))
    return float(abs(one.mean() - other.mean()) / one.std())


def measured(table: Planted, fits: Sequence[bs.Posterior]) -> dict[str, Any]:
    clean, spoilt, dropped = fits
    assert spoilt.model is not None
    chance = outliers(spoilt.model, spoilt.sites, spoilt.model.observe(table.spoilt))
    return {
        "moved": round(moved(clean, spoilt), 3),
        "dropped": round(moved(clean, dropped), 3),
        "apart": round(moved(dropped, spoilt), 3),
        "found": set(np.argsort(-chance)[:5].tolist()) == set(table.bad.tolist()),
        "bad": round(float(chance[table.bad].min()), 4),
        "good": round(float(np.delete(chance, table.bad).max()), 4),
        "status": [str(post.diagnosis.status) for post in fits],
    }


def by_nuts(variant: Variant, tables: Sequence[Planted]) -> list[dict[str, Any]]:
    every = [runs for table in tables for runs in table[:3]]
    fits = bs.fit_many(every, [variant.model()] * len(every), seed=0)
    return [measured(table, fits[3 * i : 3 * i + 3]) for i, table in enumerate(tables)]


def by_laplace(variant: Variant, tables: Sequence[Planted]) -> list[dict[str, Any]]:
    return [
        measured(
            table,
            [bs.fit(runs, variant.model(), engine="laplace", seed=0) for runs in table[:3]],
        )
        for table in tables
    ]


def counted(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    def of(name: str) -> np.ndarray:
        return np.array([one[name] for one in found])

    status = np.array([one["status"] for one in found]).ravel()
    return {
        "tables": len(found),
        "moved_less_than_half_an_sd": int(np.sum(of("moved") < 0.5)),
        "the_same_if_dropped": int(np.sum(of("dropped") < 0.5)),
        "found": int(np.sum(of("found"))),
        "moved_median": round(float(np.median(of("moved"))), 3),
        "moved_largest": float(of("moved").max()),
        "apart_median": round(float(np.median(of("apart"))), 3),
        "apart_largest": float(of("apart").max()),
        "least_probability_of_a_bad_run": float(of("bad").min()),
        "largest_of_a_good_one": float(of("good").max()),
        "status": {word: int(np.sum(status == word)) for word in ("ok", "warn", "refuse")},
    }


ENGINES = {"laplace": by_laplace, "nuts": by_nuts}


def planted_errors(variant: Variant, engine: str) -> dict[str, Any]:
    tables, start = [planted(seed) for seed in range(16)], time.process_time()
    found = ENGINES[engine](variant, tables)
    spent = time.process_time() - start
    moves = [one["moved"] for one in found]
    return {**counted(found), "cpu_s": round(spent, 1), "moved": moves}


def sizes(variant: Variant, rows: int) -> dict[str, Any]:
    """By the size of the errors and the noise, and all together."""
    start, cells = time.process_time(), defaultdict(list)
    grid = [(size, sigma, seed) for size in SIZES for sigma in NOISES for seed in range(SEEDS)]
    tables = [planted(100 + seed, sigma, rows, of_size(size)) for size, sigma, seed in grid]
    for (size, sigma, _), one in zip(grid, by_laplace(variant, tables), strict=True):
        for cell in ("all", f"error {size}", f"noise {sigma}"):
            cells[cell].append(one)
    out = {cell: counted(found) for cell, found in cells.items()}
    return {**out, "cpu_s": round(time.process_time() - start, 1)}


def scored(log_density: np.ndarray, rank: np.ndarray) -> dict[str, Any]:
    return {
        "log_score": round(float(log_density.mean()), 4),
        "covers_95": round(float(np.mean(np.abs(rank - 0.5) < 0.475)), 4),
        "covers_50": round(float(np.mean(np.abs(rank - 0.5) < 0.25)), 4),
        "runs": len(rank),
    }


def cumulative(noise: Noise, log_loss: np.ndarray) -> np.ndarray:
    return noise.declared.scipy(stats, **noise.arguments).cdf(log_loss)


def left_out(post: bs.Posterior, runs: bs.Runs) -> dict[str, Any]:
    """PSIS-LOO of every fitted run."""
    assert post.model is not None
    rows = post.model.observe(runs)
    noise = noise_at(post.model, post.sites, rows)
    density = noise.log_density(rows.log_loss, np)
    below = cumulative(noise, rows.log_loss)
    scores, ranks, worst = [], [], 0.0
    for here, rank in zip(density.T, below.T, strict=True):
        weights, k = smooth_weights(-here)
        worst = max(worst, float(k))
        weights = weights / weights.sum()
        scores.append(logsumexp(here, b=weights))
        ranks.append(weights @ rank)
    return {**scored(np.array(scores), np.array(ranks)), "pareto_k": round(worst, 2)}


def ahead(post: bs.Posterior, runs: bs.Runs) -> dict[str, Any]:
    assert post.model is not None
    mean, rows = law_at(post, runs)
    noise = post.model.likelihood.noise(mean, post.noise_draws, rows, np)
    at = np.log(runs.loss)
    density = noise.log_density(at, np)
    score = logsumexp(density, axis=0) - np.log(len(density))
    return scored(score, cumulative(noise, at).mean(axis=0))


def real(variant: Variant, law: str, most: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Scores of every setting, a group of tables of like numbers of rows at a time."""
    by_rows: dict[int, list[Setting]] = defaultdict(list)
    for one in settings():
        if len(one.past) <= GROUPS[-1]:
            by_rows[next(n for n in GROUPS if len(one.past) <= n)].append(one)
    for group in (by_rows[rows] for rows in most):
        start, out = time.process_time(), {}
        pasts = [one.past for one in group]
        fits = bs.fit_many(pasts, [variant.model(past, law) for past in pasts], seed=0)
        for i, (one, post) in enumerate(zip(group, fits, strict=True)):
            noise = {name: float(values.mean()) for name, values in post.noise_draws.items()}
            out[one.name] = {
                "source": one.source,
                "status": str(post.diagnosis.status),
                "r_hat": round(fits.fitted[i].r_hat, 4),
                "left_out": left_out(post, one.past),
                "ahead": ahead(post, one.future),
                "noise": {name: float(f"{value:.4g}") for name, value in noise.items()},
            }
        yield {"cpu_s": round(time.process_time() - start, 1), "settings": out}


def keep(part: str, variant: str, command: str, found: dict[str, Any]) -> None:
    """Add a result to the file; of `real`, the settings to those that are there."""
    kept = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    before = kept.setdefault(part, {}).get(variant, {})
    if "settings" in found:
        found = {
            "cpu_s": round(before.get("cpu_s", 0.0) + found["cpu_s"], 1),
            "settings": before.get("settings", {}) | found["settings"],
        }
    kept[part][variant] = {"command": command, **found}
    RESULTS.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("planted", "sizes", "real"))
    parser.add_argument("--variant", choices=VARIANTS, default="gross_errors")
    parser.add_argument("--law", default="chinchilla")
    parser.add_argument("--engine", choices=ENGINES, default="nuts")
    parser.add_argument("--runs", type=int, nargs="+", default=(40, 80, 160))
    parser.add_argument("--rows", type=int, nargs="+", choices=GROUPS, default=GROUPS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    variant = VARIANTS[options.variant]
    command = f"python tests/benchmarks/outliers.py {options.what} --variant '{options.variant}'"
    if options.what == "planted":
        found = planted_errors(variant, options.engine)
        where = f"planted, {options.engine}"
        keep(where, options.variant, f"{command} --engine {options.engine}", found)
        return
    if options.what == "sizes":
        for rows in options.runs:
            found = sizes(variant, rows)
            keep(f"sizes, {rows} runs", options.variant, f"{command} --runs {rows}", found)
        return
    for found in real(variant, options.law, options.rows):
        where = f"real, {options.law}"
        keep(where, options.variant, f"{command} --law {options.law}", found)


if __name__ == "__main__":
    main()
