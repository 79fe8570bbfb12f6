"""Make `posteriors.json`: long runs of NUTS that the engines are held against.

    python tests/reference/posteriors.py

Each posterior is 4 x 2500 draws by NumPyro's NUTS on `Density`, in coordinates whitened at the
mode, with 2000 draws of warm-up and target acceptance 0.98; default likelihood and priors. For each
coordinate, noise parameter and law parameter the summary has mean, sd and quantiles, each of the
mean and quantiles with its Monte Carlo standard error, R-hat and effective sample sizes. It takes
some minutes and overwrites the file, which is to change only where the model does.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from arviz_stats.base import array_stats

import bayescale as bs
from bayescale.engines import numpyro as nuts
from bayescale.engines.attempts import Attempt
from bayescale.model import Model

FILE = Path(__file__).with_suffix(".json")
DATASET = "epoch_chinchilla"
LAWS = ("chinchilla", "share", "kaplan_floor", "crossover")
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


def made(law: str) -> dict[str, Any]:
    """One reference posterior."""
    runs = bs.load(DATASET)
    model = Model.for_runs(law, runs)
    patched, nuts.ATTEMPTS = nuts.ATTEMPTS, (ATTEMPT,)
    try:
        result = nuts.Engine().sample(
            model, runs, draws=DRAWS, chains=CHAINS, seed=SEED, progress=print
        )
    finally:
        nuts.ATTEMPTS = patched
    divergent = int(result.sample_stats["diverging"].sum())
    found = {n: summary(v) for n, v in quantities(model, dict(result.coordinates)).items()}
    worst = max(s["r_hat"] for s in found.values()), min(s["ess_bulk"] for s in found.values())
    print(law, "R-hat", worst[0], "ESS", worst[1], "divergent", divergent)  # noqa: T201
    return {
        "model": model.to_dict(),
        "runs": len(runs),
        "divergent": divergent,
        "quantities": found,
    }


def main(laws: tuple[str, ...]) -> None:
    """Write the file; laws that are not asked for stay as they are."""
    known = json.loads(FILE.read_text("utf-8"))["posteriors"] if FILE.exists() else {}
    known |= {law: made(law) for law in laws}
    about = {
        "dataset": DATASET,
        "seed": SEED,
        "chains": CHAINS,
        "draws": DRAWS,
        "warmup": ATTEMPT.warmup,
        "target_acceptance": ATTEMPT.acceptance,
        "versions": {name: version(name) for name in PACKAGES},
    }
    # A hierarchical posterior (`bs.fit_groups`) is to stand here under "groups".
    text = json.dumps({"made_by": about, "posteriors": known, "groups": {}}, indent=1)
    FILE.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main(tuple(sys.argv[1:]) or LAWS)
