"""Make `posteriors.json`: long runs of NUTS that the engines are held against.

    python tests/reference/posteriors.py [LAW ...] [groups]

Each posterior is 4 x 2500 draws by NumPyro's NUTS on `Density`, in coordinates whitened at the
mode, with 2000 draws of warm-up and target acceptance 0.98; default likelihood and priors. The
hierarchical one, `groups`, is of six tables of `gadre_overtrain`, partially pooled. For each
coordinate, noise parameter and law parameter the summary has mean, sd and quantiles, each of the
mean and quantiles with its Monte Carlo standard error, R-hat and effective sample sizes. It takes
some minutes and overwrites the file, which is to change only where the model does.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from arviz_stats.base import array_stats

import bayescale as bs
from bayescale import engines
from bayescale.engines import nuts
from bayescale.engines.attempts import Attempt
from bayescale.engines.engine import Sampling
from bayescale.models.model import Model
from bayescale.posteriors.groups import GroupPosterior
from bayescale.runs.table import Runs

FILE = Path(__file__).with_suffix(".json")
DATASET = "epoch_chinchilla"
LAWS = ("chinchilla", "share", "kaplan_floor", "crossover")
GROUPS = "groups"
GROUPED, COLUMN = "gadre_overtrain", "table"
TABLES = tuple(
    f"{corpus}/{evaluation}"
    for corpus in ("rpj", "rw_original")
    for evaluation in ("c4_val", "paloma_ptb", "paloma_redpajama")
)
SEED = 20_000
DRAWS, CHAINS = 2500, 4
ATTEMPT = Attempt(2000, 0.98)
QUANTILES = {"q05": 0.05, "q50": 0.5, "q95": 0.95}
PACKAGES = ("jax", "numpyro", "numpy", "scipy", "arviz-stats")


def quantities(model: Model, sites: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Everything that is free, and the law's own parameters: arrays (chain, draw)."""
    natural = model.law.values(model.parameters(sites, np))
    return {name: sites[name] for name in model.free} | natural


def summary(draws: np.ndarray) -> dict[str, float]:
    """Of draws (chain, draw); ``mcse`` before the name of what it is the error of."""
    stats: Any = array_stats
    out = {
        "mean": np.mean(draws),
        "sd": np.std(draws, ddof=1),
        "mcse_mean": stats.mcse(draws, method="mean"),
        "mcse_sd": stats.mcse(draws, method="sd"),
        "r_hat": stats.rhat(draws),
        "ess_bulk": stats.ess(draws),
        "ess_tail": stats.ess(draws, method="tail", prob=(0.05, 0.95)),
    }
    for name, level in QUANTILES.items():
        out[name] = np.quantile(draws, level)
        out[f"mcse_{name}"] = stats.mcse(draws, method="quantile", prob=level)
    return {name: float(f"{float(value):.8g}") for name, value in out.items()}


def grouped() -> Runs:
    """The tables of the hierarchical posterior, one below the other."""
    tables = [bs.load(GROUPED, table=name).table.assign(**{COLUMN: name}) for name in TABLES]
    # The evaluations of one run are taken as independent here, which shared data would not be.
    tables = [table.assign(run=table[COLUMN] + "/" + table["run"]) for table in tables]
    return bs.read_runs(pd.concat(tables, ignore_index=True), name=GROUPED)


def of_groups(post: GroupPosterior) -> dict[str, np.ndarray]:
    """Population, spreads and the law's parameters of each group: arrays (chain, draw)."""
    shapes = post.model.shapes
    sites = {n: post.joint.draws[n].to_numpy() for n in post.model.free if not shapes[n]}
    natural = post.data["groups"]
    names = [parameter.name for parameter in post.model.law.parameters]
    return sites | {
        f"{name} of {group}": natural[name].sel(group=group).to_numpy()
        for name in names
        for group in post.groups
    }


@contextmanager
def long_attempt() -> Iterator[None]:
    """NUTS with the reference's warm-up and target acceptance."""
    patched, nuts.ATTEMPTS = nuts.ATTEMPTS, (ATTEMPT,)
    try:
        yield
    finally:
        nuts.ATTEMPTS = patched


def reported(name: str, found: dict[str, dict[str, float]], divergent: int) -> None:
    worst = max(s["r_hat"] for s in found.values()), min(s["ess_bulk"] for s in found.values())
    print(name, "R-hat", worst[0], "ESS", worst[1], "divergent", divergent)


def made(law: str) -> dict[str, Any]:
    """One reference posterior."""
    runs = bs.load(DATASET)
    model = Model.for_runs(law, runs)
    with long_attempt():
        result = engines.get("numpyro").sample(model, runs, Sampling(DRAWS, CHAINS, SEED, print))
    divergent = int(result.sample_stats["diverging"].sum())
    found = {n: summary(v) for n, v in quantities(model, dict(result.coordinates)).items()}
    reported(law, found, divergent)
    return {
        "model": model.to_dict(),
        "runs": len(runs),
        "divergent": divergent,
        "quantities": found,
    }


def made_groups() -> dict[str, Any]:
    """The hierarchical reference posterior."""
    runs = grouped()
    with long_attempt():
        post = bs.fit_groups(
            runs, groups=COLUMN, draws=DRAWS, chains=CHAINS, seed=SEED, progress=print
        )
    divergent = int(post.joint.data["sample_stats"]["diverging"].sum())
    found = {name: summary(draws) for name, draws in of_groups(post).items()}
    reported(GROUPS, found, divergent)
    return {
        "dataset": GROUPED,
        "tables": list(TABLES),
        "model": post.model.to_dict(),
        "runs": len(runs),
        "divergent": divergent,
        "quantities": found,
    }


def main(asked: tuple[str, ...]) -> None:
    """Write the file; what is not asked for stays as it is."""
    kept = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}
    known, groups = kept.get("posteriors", {}), kept.get(GROUPS, {})
    known |= {law: made(law) for law in asked if law != GROUPS}
    groups = made_groups() if GROUPS in asked else groups
    about = {
        "dataset": DATASET,
        "seed": SEED,
        "chains": CHAINS,
        "draws": DRAWS,
        "warmup": ATTEMPT.warmup,
        "target_acceptance": ATTEMPT.acceptance,
        "versions": {name: version(name) for name in PACKAGES},
    }
    text = json.dumps({"made_by": about, "posteriors": known, GROUPS: groups}, indent=1)
    FILE.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main(tuple(sys.argv[1:]) or (*LAWS, GROUPS))
