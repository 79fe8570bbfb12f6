"""Does a design beat the usual grids: on simulated laws, right and wrong, and on real runs?

    python tests/benchmarks/design.py right --truths 60      # the law is the truth's
    python tests/benchmarks/design.py wrong --truths 30      # the truth is not additive
    python tests/benchmarks/design.py replay --repeats 20    # runs chosen from real tables
    python tests/benchmarks/design.py speed                  # CPU seconds of one design

`right` and `wrong` spend a budget on at most 35 runs of at most a tenth of it each, by an isoFLOP
grid (5 budgets, 7 sizes up to 3.3 times from the optimum that the priors expect), a wide one (6
times), and by `bayescale.design` in three stages (10, 30, 100% of the budget) with a fit between.
Every fit is NUTS (`fit_many`). `replay` needs BAYESCALE_DATA. Results go to design.json.
"""

import argparse
import json
import math
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd

import bayescale as bs
from bayescale import cost as costs
from bayescale.designing import candidates as candidate
from bayescale.designing.design import design
from bayescale.distributions.prior import Prior
from bayescale.errors import DiagnosticsWarning
from bayescale.fitting.many import fit_many
from bayescale.models.model import Model
from bayescale.planning.allocation import optimum
from bayescale.planning.budget_line import BudgetLine
from bayescale.runs.table import Runs, read_runs

jax.config.update("jax_enable_x64", True)

RESULTS = Path(__file__).with_suffix(".json")
COST = costs.get("6ND")
LINE = BudgetLine(COST)
TARGET, BUDGET, RUNS, NOISE = 1e23, 1e19, 35, 0.005
STAGES = (0.1, 0.3, 1.0)
PIVOT = {"N": 3e7, "D": 1e9}
LEVEL = 3.3
Q = Prior.around(1.0, 0.2)
REAL = (("misfitting", None),)
"""Tables whose runs `replay` chooses from."""
MOST = 60
"""Most runs that `replay` chooses."""


def model_of(law: str) -> Model:
    """The priors of the fits: those that the truths are drawn from, and a shape near additive."""
    prior = {"q": Q} if law == "share" else {}
    return Model.at(law, pivot=PIVOT, level=LEVEL, prior=prior, likelihood="normal", drift=None)


def truths(count: int, q: float | None) -> list[dict[str, float]]:
    """Coordinates drawn from the priors, with a given shape."""
    law, out, seed = "chinchilla" if q is None else "share", [], 0
    model = model_of(law)
    while len(out) < count:
        rng = np.random.default_rng([11, seed])
        seed += 1
        drawn = {n: float(p.sample(rng)) for n, p in model.priors.table.items()}
        drawn["sigma"] = NOISE
        if q is not None:
            drawn["q"] = q
        out.append(drawn)
    return out


def of_draws(model: Model, coordinates: dict[str, Any]) -> dict[str, np.ndarray]:
    """log N*, log L* and the law at the target."""
    shaped = {n: np.atleast_1d(np.asarray(v, float)) for n, v in coordinates.items()}
    natural = model.law.values(model.parameters(shaped, np))
    post = bs.Posterior.from_draws(model.law, natural)
    found = optimum(post, LINE, np.array([math.log(TARGET)]))
    return {"N": found.logs["N"][:, 0], "loss": found.log_loss[:, 0]}


def simulated(law: str, table: pd.DataFrame, truth: dict[str, float], seed: int) -> Runs:
    return model_of(law).simulate(table[["N", "D"]], seed=seed, coordinates=truth).runs


def scores(law: str, fits: Any, truth_law: str, coordinates: Sequence[dict]) -> dict[str, float]:
    model, true_model = model_of(law), model_of(truth_law)
    rows = []
    for index, truth in enumerate(coordinates):
        want = {n: float(v[0]) for n, v in of_draws(true_model, truth).items()}
        flat = {n: v.reshape(-1) for n, v in fits.fitted[index].coordinates.items()}
        got = of_draws(model, {**model.fixed, **flat})
        row = {}
        for name in ("N", "loss"):
            low, high = np.quantile(got[name], [0.1, 0.9])
            row[f"error_{name}"] = got[name].mean() - want[name]
            row[f"covered_{name}"] = float(low <= want[name] <= high)
        size = float(np.exp(got["N"].mean()))
        natural = true_model.law.values(true_model.parameters(truth, np))
        at = float(true_model.law.loss(N=size, D=TARGET / 6 / size, **natural))
        row["regret"] = at - math.exp(want["loss"])
        rows.append(row)
    table = pd.DataFrame(rows)
    return {
        "rms_log_N": float(np.sqrt((table["error_N"] ** 2).mean())),
        "rms_log_L": float(np.sqrt((table["error_loss"] ** 2).mean())),
        "regret": float(table["regret"].mean()),
        "covered_N": float(table["covered_N"].mean()),
        "covered_L": float(table["covered_loss"].mean()),
        "refused": int((fits.diagnostics["status"] == "refuse").sum()),
    }


def grids(law: str, reach: float) -> pd.DataFrame:
    """The same for every truth: centred where the priors' middle has its optimum."""
    model = model_of(law)
    post = bs.Posterior.from_draws(model.law, model.starting_point())
    logs = np.linspace(math.log(BUDGET / 1e4), math.log(BUDGET), 30)
    centre = {"compute": logs, "N": optimum(post, LINE, logs).logs["N"][0]}
    return candidate.isoflop(COST, BUDGET, centre, reach)


def staged(law: str, truth_law: str, coordinates: Sequence[dict], seed: int) -> list[Runs]:
    """Three stages, each fitted before the next."""
    model, tables, posts = model_of(law), [None] * len(coordinates), None
    for number, fraction in enumerate(STAGES):
        for index, truth in enumerate(coordinates):
            old = tables[index]
            spent = 0.0 if old is None else float(np.exp(COST.log_cost(logs_of(old))).sum())
            left = RUNS - (0 if old is None else len(old))
            most = left if fraction == 1.0 else min(left, 12)
            found = design(
                model if posts is None else posts[index],
                fraction * BUDGET - spent,
                TARGET,
                max_cost=BUDGET / 10,
                max_runs=most,
                draws=24,
                seed=seed + index,
                single_law=True,
                force=True,
            )
            new = simulated(truth_law, found.runs(), truth, 1000 * number + index)
            frames = [new.table] if old is None else [old.table, new.table]
            both = pd.concat(frames, ignore_index=True)[["N", "D", "loss"]]
            tables[index] = read_runs(both, on_duplicates="keep", name=f"truth {index}")
        posts = fit_many(tables, [model] * len(tables), seed=seed + number)
        print(f"stage {fraction:.0%} fitted", flush=True)
    return tables


def logs_of(runs: Runs) -> dict[str, np.ndarray]:
    return {name: np.log(runs.column(name).astype(float)) for name in ("N", "D")}


def simulation(laws: Sequence[str], q: float | None, count: int) -> dict[str, Any]:
    truth_law, coordinates = "chinchilla" if q is None else "share", truths(count, q)
    out: dict[str, Any] = {"truths": count, "budget": BUDGET, "target": TARGET, "q": q}
    for law in laws:
        model, rows = model_of(law), {}
        for name, reach in (("isoFLOP", candidate.USUAL), ("wide isoFLOP", candidate.WIDE)):
            grid = grids(law, reach)
            tables = [simulated(truth_law, grid, t, i) for i, t in enumerate(coordinates)]
            fits = fit_many(tables, [model] * count, seed=5)
            rows[name] = scores(law, fits, truth_law, coordinates)
            print(law, name, rows[name], flush=True)
        tables = staged(law, truth_law, coordinates, seed=3)
        fits = fit_many(tables, [model] * count, seed=6)
        rows["design"] = scores(law, fits, truth_law, coordinates)
        print(law, "design", rows["design"], flush=True)
        out[law] = rows
    return out


def replay(repeats: int, shares: Sequence[float] = (0.05, 0.1, 0.2)) -> dict[str, Any]:
    """Choose runs from a real table under a share of its cost; predict its largest runs."""
    out: dict[str, Any] = {"repeats": repeats}
    for name, table in REAL:
        runs = bs.load(name) if table is None else bs.load(name, table=table)
        frame = runs.table[["N", "D", "loss"]].copy()
        frame["cost"] = np.exp(COST.log_cost(logs_of(runs)))
        largest = frame["cost"] >= frame["cost"].quantile(0.9)
        pool, held = frame[~largest].reset_index(drop=True), frame[largest]
        rows = [row for share in shares for row in replayed(pool, held, share, repeats)]
        out[runs.name] = {"pool": len(pool), "held_out": len(held), "rows": rows}
        print(runs.name, pd.DataFrame(rows).round(4).to_string(), sep="\n", flush=True)
    return out


def replayed(
    pool: pd.DataFrame, held: pd.DataFrame, share: float, repeats: int
) -> list[dict[str, Any]]:
    budget = share * float(pool["cost"].sum())
    rngs = [np.random.default_rng([repeat, 7]) for repeat in range(repeats)]
    chosen = {
        "random": [pool.iloc[within(rng.permutation(len(pool)), pool, budget)] for rng in rngs],
        "isoFLOP-like": [pool.iloc[isoflop_like(pool, budget, rng)] for rng in rngs],
        "design": designed(pool, budget, float(held["cost"].max()), repeats),
    }
    return [{"share": share, "way": way} | predicted(t, held) for way, t in chosen.items()]


def within(order: np.ndarray, pool: pd.DataFrame, budget: float) -> np.ndarray:
    """The first of an order that fit into a budget, those too dear left out, at most 60."""
    kept, left = [], budget
    for index in order:
        if pool["cost"].iloc[index] <= left and len(kept) < MOST:
            kept.append(index)
            left -= pool["cost"].iloc[index]
    return np.array(kept)


def isoflop_like(pool: pd.DataFrame, budget: float, rng: np.random.Generator) -> np.ndarray:
    """Groups of up to seven runs of like cost (within half a decade), in random order."""
    group = np.round(2 * np.log10(pool["cost"].to_numpy()))
    order: list[int] = []
    for level in rng.permutation(np.unique(group)):
        order += list(rng.permutation(np.flatnonzero(group == level))[:7])
    return within(np.array(order), pool, budget)


def designed(pool: pd.DataFrame, budget: float, target: float, repeats: int) -> list[pd.DataFrame]:
    """Two stages for every repeat: a third of the budget from the priors, the rest after a fit.

    A repeat sees its own random half of the table, as a lab could only make some of the runs.
    """
    pivot = {n: float(np.exp(np.log(pool[n]).mean())) for n in ("N", "D")}
    halves, taken, sources = [], [], []
    for repeat in range(repeats):
        rng = np.random.default_rng([repeat, 13])
        halves.append(pool.iloc[rng.choice(len(pool), len(pool) // 2, replace=False)])
        level = float(np.median(halves[-1]["loss"].iloc[:5]))
        sources.append(Model.at("share", pivot=pivot, level=level))
        taken.append(pool.iloc[:0])
    for fraction in (0.3, 1.0):
        for i in range(repeats):
            left = halves[i].drop(index=taken[i].index)
            found = design(
                sources[i],
                fraction * budget - float(taken[i]["cost"].sum()),
                target,
                candidates=left[["N", "D", "cost"]],
                max_cost=budget,
                max_runs=MOST - len(taken[i]),
                repeats=False,
                draws=24,
                seed=i,
                force=True,
            )
            keys = found.runs().merge(left.reset_index(), on=["N", "D", "cost"])["index"].unique()
            taken[i] = pd.concat([taken[i], left.loc[keys]])
        if fraction < 1.0:
            sources = list(fit_many([as_runs(t) for t in taken], "share", seed=1))
    return taken


def as_runs(table: pd.DataFrame) -> Runs:
    return read_runs(table[["N", "D", "loss"]].reset_index(drop=True), on_duplicates="keep")


def predicted(tables: Sequence[pd.DataFrame], held: pd.DataFrame) -> dict[str, float]:
    """RMSE, coverage and width of the log loss of the largest runs, over repeats."""
    usable = [
        as_runs(t) for t in tables if len(t) >= 8 and min(t["N"].nunique(), t["D"].nunique()) > 2
    ]
    fits = fit_many(usable, "share", seed=1)
    want = np.log(held["loss"].to_numpy())
    rows = []
    for post in fits:
        at = {name: held[name].to_numpy() for name in ("N", "D")}
        draws = np.log(post.predict(noise=True, force=True, **at).draws)
        low, high = np.quantile(draws, [0.05, 0.95], axis=0)
        inside = (low <= want) & (want <= high)
        error = np.median(draws, axis=0) - want
        rows.append((np.sqrt(np.mean(error**2)), np.mean(inside), np.mean(high - low)))
    rmse, coverage, width = np.array(rows).T
    return {
        "fitted": len(rows),
        "runs": float(np.mean([len(t) for t in tables])),
        "rmse": float(rmse.mean()),
        "rmse_worst": float(rmse.max()),
        "coverage_90": float(coverage.mean()),
        "width_90": float(width.mean()),
    }


def speed() -> dict[str, float]:
    """CPU seconds of one design over 1,000 candidates, warm."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"N": 10 ** rng.uniform(6.5, 9, 1000), "D": 10 ** rng.uniform(8, 10.5, 1000)}
    )
    out = {}
    for name in ("first", "warm"):
        start = time.process_time()
        design(
            model_of("share"), 1e20, TARGET, candidates=table, max_cost=1e20, max_runs=RUNS, seed=0
        )
        out[f"{name}_cpu_s"] = round(time.process_time() - start, 2)
    return out | {"candidates": 1000}


def main() -> None:
    parts: dict[str, Callable[[argparse.Namespace], Any]] = {
        "right": lambda o: simulation(("chinchilla",), None, o.truths),
        "wrong": lambda o: simulation(("chinchilla", "share"), 1.25, o.truths),
        "replay": lambda o: replay(o.repeats),
        "speed": lambda o: speed(),
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="+", choices=list(parts))
    parser.add_argument("--truths", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    for part in options.parts:
        start = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DiagnosticsWarning)
            result = parts[part](options)
        if isinstance(result, dict):
            result["cpu_seconds"] = round(time.process_time() - start, 1)
        kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        RESULTS.write_text(json.dumps(kept | {part: result}, indent=1) + "\n")
        print(part, json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
