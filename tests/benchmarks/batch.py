"""How fast many tables are fitted by one program: against a loop of single fits, and by device.

    python tests/benchmarks/batch.py loop --tables 1000 --single 20
    python tests/benchmarks/batch.py sampler --tables 1000      # also where ArviZ is absent

`loop` prints CPU seconds a table of `bayescale.fit_many` and of a Python loop of `bayescale.fit`,
both with whatever they compile, their ratio, and how far posterior means are apart. `sampler`
prints seconds of the sampler alone on every kind of device that JAX has, compiled before.
"""

import argparse
import json
import platform
import time
import warnings
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pandas as pd

from bayescale.engines import batch
from bayescale.engines.mode import starts_of
from bayescale.models.density import Density, Numbers
from bayescale.models.model import Model
from bayescale.models.observations import Observations

jax.config.update("jax_enable_x64", True)

PIVOT = {"N": 3e8, "D": 1e10}
ROWS = (30, 60)


def design(rng: np.random.Generator) -> dict[str, np.ndarray]:
    rows = int(rng.integers(ROWS[0], ROWS[1] + 1))
    return {"N": 10 ** rng.uniform(7, 9.5, rows), "D": 10 ** rng.uniform(9, 11, rows)}


def timed(function: Callable[[], Any]) -> tuple[Any, float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    result = function()
    return result, time.process_time() - cpu, time.perf_counter() - wall


def loop(tables: int, single: int) -> dict[str, float]:
    import bayescale as bs

    model, rng = Model.at("chinchilla", pivot=PIVOT), np.random.default_rng(0)
    runs = [
        model.simulate(pd.DataFrame(design(rng)), seed=seed, coordinates={"sigma": 0.005}).runs
        for seed in range(tables)
    ]
    fits, many, _ = timed(lambda: bs.fit_many(runs, seed=0))
    chosen = np.linspace(0, tables - 1, single).astype(int)
    posts, one, _ = timed(lambda: [bs.fit(runs[i], seed=0) for i in chosen])
    gaps = []
    for i, post in zip(chosen, posts, strict=True):
        want = post.summary(coordinates=True)
        got = fits[int(i)].summary(coordinates=True)
        gaps.append(((got["mean"] - want["mean"]).abs() / want["sd"]).max())
    found = fits.diagnostics
    return {
        "tables": tables,
        "cpu_s_a_table_fit_many": many / tables,
        "cpu_s_a_table_loop": one / single,
        "ratio": (one / single) / (many / tables),
        "single_fits": single,
        "largest_gap_in_sd": float(np.max(gaps)),
        "ok": int((found["status"] == "ok").sum()),
        "warned": int((found["status"] == "warn").sum()),
        "refused": int((found["status"] == "refuse").sum()),
        "second_attempts": int((found["attempts"] == 2).sum()),
    }


def lanes(count: int) -> tuple[Density, batch.Lanes]:
    """Simulated tables as arrays, without a data frame."""
    rng, rows = np.random.default_rng(0), ROWS[1]
    found: list[batch.Lanes] = []
    truth = Model.at("chinchilla", pivot=PIVOT)
    density = Density(truth)
    for index in range(count):
        sizes = design(rng)
        logs = {name: np.log(np.resize(size, rows)) for name, size in sizes.items()}
        drawn = {name: prior.sample(rng) for name, prior in truth.priors.table.items()}
        drawn["sigma"] = np.float64(0.005)
        mean = truth.law.log_loss(truth.parameters(drawn, np), logs, np)
        log_loss = mean + 0.005 * rng.standard_t(6.0, rows)
        weight = (np.arange(rows) < len(sizes["N"])).astype(np.float64)
        pivot = {name: float(np.exp(np.log(size).mean())) for name, size in sizes.items()}
        model = Model.at("chinchilla", pivot=pivot, level=float(np.exp(np.median(log_loss))))
        starts = np.stack(starts_of(Density(model), batch.STARTS, rng))
        observed = Observations(logs, log_loss, {}, weight)
        found.append(batch.Lanes(observed, Numbers.of(model), starts, np.uint32(index)))
    stacked = batch.stack(found)
    keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(jax.random.key(0), stacked.keys)
    return density, stacked._replace(keys=keys)


def sampler(tables: int) -> dict[str, Any]:
    density, stacked = lanes(tables)
    out: dict[str, Any] = {"tables": tables, "machine": platform.machine()}
    kinds = ["cpu"] if jax.default_backend() == "cpu" else [jax.default_backend(), "cpu"]
    for kind in kinds:
        device = jax.devices(kind)[0]
        with jax.default_device(device):
            _, _, first = timed(lambda: batch.sample(density, stacked))
            draws, _, second = timed(lambda: batch.sample(density, stacked))
        out[device.device_kind] = {
            "first_s": round(first, 2),
            "second_s": round(second, 2),
            "tables_a_second": round(tables / second, 1),
            "divergent": float(draws.diverging.mean()),
            "acceptance": float(draws.acceptance_rate.mean()),
        }
        print(json.dumps(out), flush=True)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("loop", "sampler"))
    parser.add_argument("--tables", type=int, default=1000)
    parser.add_argument("--single", type=int, default=20)
    options = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if options.what == "loop":
            result = loop(options.tables, options.single)
        else:
            result = sampler(options.tables)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
