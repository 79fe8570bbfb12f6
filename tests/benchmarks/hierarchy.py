"""Do groups that learn from each other extrapolate better than groups fitted alone?

Two tables of others, in the folder that `BAYESCALE_DATA` names:

* gadre: 70 over-trained models of two corpora, each evaluated on eight sets: 16 groups of 35 rows.
  Held out: the models of the largest size (6.9B).
* porian: isoFLOP grids in eight settings (corpus by warm-up, schedule and tuning), validation loss,
  parameters counted in the standard way. Held out: the two largest budgets.

Each is fitted with shared exponents, with partial pooling, and separately; gadre also with an
effect of the run that its eight evaluations share. Results go to hierarchy.json beside this file.

    BAYESCALE_DATA=... python tests/benchmarks/hierarchy.py [gadre porian effect full]
"""

import argparse
import json
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
from poolings import ALL, pooling_comparison, score_groups

from bayescale.errors import DiagnosticsWarning
from bayescale.fitting.groups import fit_groups, with_groups
from bayescale.posteriors.groups import GroupPosterior
from bayescale.runs.table import Runs, read_runs

RESULTS = Path(__file__).with_suffix(".json")
EVALUATED = ("train_dataset", "evaluation")
SETTING = ("dataset", "warmup", "decay", "hparams")
EFFECT = "shared(column=name)"


def gadre(folder: Path) -> Runs:
    """One row a model and evaluation set."""
    wide = pd.read_csv(folder / "gadre_overtrain" / "runs.csv")
    sets = [c for c in wide if c.startswith("loss_") and "95_" not in c]
    table = wide.melt(["name", "train_dataset", "params", "tokens"], sets, "evaluation", "loss")
    table["evaluation"] = table["evaluation"].str.removeprefix("loss_")
    table["train_dataset"] = table["train_dataset"].str.removesuffix("_original")
    return read_runs(table, columns={"N": "params", "D": "tokens"}, name="gadre_overtrain")


def porian(folder: Path) -> Runs:
    """One row a point of a grid with a validation loss."""
    table = pd.read_csv(folder / "porian_isoflop" / "isoflop_points.csv")
    table = table[(table["param_count"] == "standard") & (table["val"] == "val")]
    names = {"N": "n", "D": "t"}
    return read_runs(table.reset_index(drop=True), columns=names, name="porian_isoflop")


def largest_size(table: pd.DataFrame) -> np.ndarray:
    """The models of the largest size."""
    return (table["N"] == table["N"].max()).to_numpy()


def largest_budgets(table: pd.DataFrame) -> np.ndarray:
    """The points of the two largest budgets."""
    return table["flops"].isin(sorted(table["flops"].unique())[-2:]).to_numpy()


def convergence(post: GroupPosterior) -> dict[str, Any]:
    """Worst R-hat and ESS of population, spreads and all groups; divergences."""
    tables = [post.summary(), post.summary(groups=True)]
    rhat = max(float(table["r_hat"].max()) for table in tables)
    ess = min(float(table[["ess_bulk", "ess_tail"]].min().min()) for table in tables)
    stats = post.joint.data["sample_stats"]
    return {
        "r_hat": rhat,
        "ess": ess,
        "divergences": float(stats["diverging"].mean()),
        "steps": float(stats["n_steps"].mean()),
        "draws": int(stats["n_steps"].size),
        "status": str(post.diagnose().status),
        "centring": dict(post.joint.record["centring"]),
    }


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain data with four digits."""
    return json.loads(table.reset_index().to_json(orient="records", double_precision=4))


def full(folder: Path) -> dict[str, Any]:
    """All 16 tables of gadre: convergence and spreads."""
    post = fit_groups(gadre(folder), groups=EVALUATED, seed=0)
    table = post.summary()
    return convergence(post) | {"population": records(table[["mean", "sd", "r_hat", "ess_bulk"]])}


def effect(folder: Path) -> dict[str, Any]:
    """The same with an effect of the run, and how well it predicts the largest size."""
    runs = gadre(folder)
    out = largest_size(runs.table)
    found = {}
    for name, likelihood in (("independent", "studentt"), ("effect of the run", EFFECT)):
        post = fit_groups(runs.select(~out), groups=EVALUATED, likelihood=likelihood, seed=0)
        new, _ = with_groups(runs.select(out), EVALUATED)
        population = post.summary()
        found[name] = {
            "convergence": convergence(post),
            "population": records(population[["mean", "sd"]]),
            "held out": records(score_groups(post, new).loc[[ALL]]),
        }
    return found


def held_out(runs: Runs, groups: tuple[str, ...], rows: Callable[..., Any]) -> dict[str, Any]:
    """Three ways of sharing, by group."""
    table = pooling_comparison(runs, groups=groups, held_out=rows, seed=0)
    print(table.xs(ALL, level="group").round(4).to_string())
    return {"scores": records(table)}


PARTS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "full": full,
    "gadre": lambda folder: held_out(gadre(folder), EVALUATED, largest_size),
    "porian": lambda folder: held_out(porian(folder), SETTING, largest_budgets),
    "effect": effect,
}


def main(parts: list[str]) -> None:
    """Run the parts and put their results in place of those kept."""
    folder = Path(os.environ["BAYESCALE_DATA"])
    for part in parts:
        start = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DiagnosticsWarning)
            result = PARTS[part](folder)
        result["cpu_seconds"] = round(time.process_time() - start, 1)
        kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        RESULTS.write_text(json.dumps(kept | {part: result}, indent=1) + "\n")
        print(part, json.dumps({k: v for k, v in result.items() if k != "scores"}, indent=1))


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(PARTS))
    main(parser.parse_args().parts)
