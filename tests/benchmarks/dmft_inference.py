"""Is the posterior of the dynamics' exponents right? Simulated tables of single runs.

    python tests/benchmarks/dmft_inference.py single             # one table by `bayescale.fit`
    python tests/benchmarks/dmft_inference.py prepare lanes.npz --tables 20
    python tests/benchmarks/dmft_inference.py sample lanes.npz draws.npz   # JAX alone; for GPUs
    python tests/benchmarks/dmft_inference.py judge draws.npz --tables 20

A table has 12 runs x 12 times: single draws of the projection and the samples
(`theory.learning.simulate`), not averages, of a task with a = 1.5, b = 1.25 and 1,500 modes (the
law has as many: at this b those beyond still count). Sizes are log-uniform from 48 to 600, the same
in twenty tables; the mean over draws is off the theory by about 1/min(N, P). One feature, one
example and one unit of time are the law's units. The likelihood is `smooth_curves`: the points of
one run move together, smoothly, and small runs more. `single`, whose law is solved to 5e-5 in place
of 5e-6 of the loss, and `judge` write to dmft_inference.json.
"""

import argparse
import json
import time
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import jax
import numpy as np

from bayescale.engines import batch
from bayescale.engines.mode import starts_of
from bayescale.models.density import Density, Numbers
from bayescale.models.model import Model
from bayescale.models.observations import Observations
from theory.laws.solved import dynamics

jax.config.update("jax_enable_x64", True)

RESULTS = Path(__file__).with_suffix(".json")
A, B, MODES, NOISE = 1.5, 1.25, 1500, 0.05
RUNS, TIMES, ALIKE = 12, 12, 20
SIZES, SPAN = (48, 600), (1.0, 1e3)
LIKELIHOOD = "smooth_curves(along=t, size=2e4, time=30)"
LAW = dynamics("dmft_1500", modes=MODES)
QUICK = dynamics("dmft_1500", modes=MODES, nodes=5)
UNITS = {"N_1": 1.0, "D_1": 1.0, "t_1": 1.0}
TRUTH = {"a_1": A - 1.0, "b_1": B - 1.0, "A": 1.0}
EFFORT = batch.Effort(1000, 0.95, (5, 15))


@cache
def tables_of(count: int) -> tuple[Any, ...]:
    """Runs of so many tables."""
    import pandas as pd

    from bayescale.errors import RunsWarning
    from bayescale.runs.table import read_runs
    from theory.learning import simulate
    from theory.learning.spectrum import PowerLaw

    task, times = PowerLaw(a=A, b=B, modes=MODES), np.geomspace(*SPAN, TIMES)
    frames: list[list[Any]] = [[] for _ in range(count)]
    for first in range(0, count, ALIKE):
        block = frames[first : first + ALIKE]
        rng = np.random.default_rng(3 + first)
        for run in range(RUNS):
            N, P = (int(size) for size in np.exp(rng.uniform(*np.log(SIZES), 2)))
            found = simulate.losses_by_draw(
                task, N=N, P=P, t=list(times), noise=NOISE, draws=len(block), seed=50 * first + run
            )
            columns = {"N": N, "D": P, "t": times, "run": f"r{run}"}
            for rows, losses in zip(block, found, strict=True):
                rows.append(pd.DataFrame(columns | {"loss": losses}))
            print(f"tables {first} to {first + len(block) - 1}, run {run}: N = {N}, P = {P}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RunsWarning)  # of rows that belong to one run
        return tuple(
            read_runs(pd.concat(rows, ignore_index=True), name=f"dynamics {i}")
            for i, rows in enumerate(frames)
        )


def model_of(runs: Any, law: Any = LAW) -> Model:
    return Model.for_runs(law, runs, likelihood=LIKELIHOOD, prior=UNITS)


def prepare(path: Path, tables: int) -> None:
    found = []
    for seed, runs in enumerate(tables_of(tables)):
        model = model_of(runs)
        starts = np.stack(starts_of(Density(model), batch.STARTS, np.random.default_rng(seed)))
        observed = model.observe(runs)._replace(weight=np.ones(len(runs)))
        found.append(batch.Lanes(observed, Numbers.of(model), starts, np.uint32(seed)))
    model = model_of(tables_of(tables)[0])
    stacked = batch.stack(found)
    arrays = {"log_loss": stacked.observed.log_loss, "weight": stacked.observed.weight}
    arrays |= {"starts": stacked.starts, "keys": stacked.keys}
    groups = {"size": stacked.observed.log_resources, "column": stacked.observed.columns}
    groups |= {"pivot": stacked.numbers.log_pivot}
    groups |= {f"prior {name}": v for name, v in stacked.numbers.arguments.items()}
    for group, values in groups.items():
        arrays |= {f"{group}:{name}": array for name, array in values.items()}
    np.savez_compressed(path, model=json.dumps(model.to_dict()), **arrays)


def sample(source: Path, target: Path) -> None:
    given = np.load(source)

    def group(label: str) -> dict[str, np.ndarray]:
        return {k.split(":")[1]: given[k] for k in given.files if k.startswith(f"{label}:")}

    model = Model.from_dict(json.loads(str(given["model"])), law=LAW)
    arguments = {name: group(f"prior {name}") for name in model.priors.table}
    rows = Observations(group("size"), given["log_loss"], group("column"), given["weight"])
    numbers = Numbers(group("pivot"), arguments)
    lanes = batch.Lanes(rows, numbers, given["starts"], given["keys"])
    density = Density(model)
    keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(jax.random.key(0), lanes.keys)
    start = time.perf_counter()
    draws = batch.sample(density, lanes._replace(keys=keys), effort=EFFORT)
    seconds = time.perf_counter() - start
    told = {"seconds": seconds, "device": jax.devices()[0].device_kind, "tables": len(lanes.keys)}
    print(json.dumps(told), flush=True)
    names = ("positions", "lp", "diverging", "energy", "acceptance_rate", "agreeing")
    kept = {name: np.asarray(getattr(draws, name)) for name in names}
    halved = {n: v.astype(np.float32) if v.dtype == np.float64 else v for n, v in kept.items()}
    np.savez_compressed(target, told=json.dumps(told), **halved)


def judge(source: Path, tables: int) -> dict[str, Any]:
    from bayescale.fitting.chunk import Chunk, fitted_of

    kept = np.load(source)
    names = ("positions", "lp", "diverging", "energy", "acceptance_rate", "agreeing")
    arrays = {n: kept[n] for n in names}
    whole = {n: v.astype(np.float64) if v.dtype == np.float32 else v for n, v in arrays.items()}
    draws = batch.BatchDraws(**whole)
    made = tables_of(tables)
    models, chains = [model_of(runs) for runs in made], draws.positions.shape[1]
    chunk = Chunk(models, made, range(tables), tables, max(map(len, made)), chains, 0)
    inside, rows = {name: [] for name in TRUTH}, []
    for index, model in enumerate(models):
        one = fitted_of(chunk, index, draws, EFFORT)
        flat = {name: values.reshape(-1) for name, values in one.coordinates.items()}
        natural = model.law.values(model.parameters(flat, np))
        for name, truth in TRUTH.items():
            low, high = np.quantile(natural[name], [0.05, 0.95])
            inside[name].append(bool(low <= truth <= high))
        middle = {name: round(float(np.median(natural[name])), 4) for name in TRUTH}
        rows.append({"r_hat": one.r_hat, "ess": one.ess, "divergences": one.divergences} | middle)
    return json.loads(str(kept["told"])) | {
        "coverage_90": {name: float(np.mean(found)) for name, found in inside.items()},
        "coverage_90_by_twenty": {
            name: [float(np.mean(found[k : k + ALIKE])) for k in range(0, tables, ALIKE)]
            for name, found in inside.items()
        },
        "largest_r_hat": max(row["r_hat"] for row in rows),
        "smallest_ess": min(row["ess"] for row in rows),
        "tables_fit": rows,
    }


def single() -> dict[str, Any]:
    import bayescale as bs

    runs = tables_of(2)[0]
    start = time.process_time()
    post = bs.fit(runs, model_of(runs, QUICK), draws=250, seed=0)
    summary = post.summary()
    print(summary.round(4).to_string())
    return {
        "cpu_seconds": round(time.process_time() - start, 1),
        "r_hat": float(summary["r_hat"].max()),
        "ess": float(summary[["ess_bulk", "ess_tail"]].min().min()),
        "status": str(post.diagnose().status),
        "reasons": list(post.diagnosis.reasons),
        "a_1": summary.loc["a_1", ["mean", "q05", "q95"]].to_dict(),
        "b_1": summary.loc["b_1", ["mean", "q05", "q95"]].to_dict(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("single", "prepare", "sample", "judge"))
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--tables", type=int, default=20)
    options = parser.parse_args()
    if options.part == "prepare":
        prepare(options.files[0], options.tables)
    elif options.part == "sample":
        sample(*options.files)
    else:
        single_or_judged = options.part == "single"
        result = single() if single_or_judged else judge(options.files[0], options.tables)
        kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        key = "single" if single_or_judged else "tables"
        RESULTS.write_text(json.dumps(kept | {key: result}, indent=1) + "\n")
        print(json.dumps({k: v for k, v in result.items() if k != "tables_fit"}, indent=1))


if __name__ == "__main__":
    main()
