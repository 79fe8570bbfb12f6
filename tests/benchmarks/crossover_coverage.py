"""Do 90% intervals of alpha_N/alpha_D cover when the form of the law is not known?

Tables of 60 runs with 0.5% noise are simulated from three forms above a floor (Kaplan's, the
additive one, CES with q = 1.8), with all else from the prior. Each is fitted with the
semi-parametric law, with its own form, and with a wrong single form.

    python tests/benchmarks/crossover_coverage.py --tables 20
"""

import argparse
import time
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

import bayescale as bs
from bayescale.runs.table import Runs

PIVOT = {"N": 3e8, "D": 1e10}
RUNS, NOISE, LEVEL = 60, 0.005, 2.7


@dataclass(frozen=True)
class Truth:
    """A form that makes tables, its fixed coordinates, and the wrong form fitted to it."""

    law: str
    fixed: dict[str, float]
    wrong: str


TRUTHS = {
    "Kaplan": Truth("kaplan_floor", {}, "chinchilla"),
    "additive": Truth("chinchilla", {}, "kaplan_floor"),
    "CES, q = 1.8": Truth("share", {"q": 1.8}, "chinchilla"),
}


def simulated(truth: Truth, seed: int) -> tuple[Runs, float]:
    """A table, and the true ratio of its exponents."""
    rng = np.random.default_rng(seed)
    design = {
        "N": np.exp(rng.uniform(np.log(1e7), np.log(1e10), RUNS)),
        "D": np.exp(rng.uniform(np.log(3e8), np.log(3e11), RUNS)),
    }
    model = bs.Model.at(truth.law, pivot=PIVOT, level=LEVEL, likelihood="normal")
    made = model.simulate(design, seed=seed, coordinates={"sigma": NOISE, **truth.fixed})
    return made.runs, _ratio({name: np.asarray(v) for name, v in made.parameters.items()})


def _ratio(parameters: dict[str, np.ndarray]) -> float:
    names = ("alpha", "beta") if "alpha" in parameters else ("alpha_N", "alpha_D")
    return parameters[names[0]] / parameters[names[1]]


def fitted(law: str, runs: Runs, truth: float, seed: int, draws: int | None) -> dict[str, float]:
    """Whether the interval covers, how wide it is, and whether the fit converged."""
    # One model for all tables, so that it is compiled once.
    model = bs.Model.at(law, pivot=PIVOT, level=LEVEL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        post = bs.fit(runs, model, seed=seed, draws=draws)
    drawn = {str(n): v.to_numpy().ravel() for n, v in post.draws.data_vars.items()}
    low, high = np.quantile(_ratio(drawn), [0.05, 0.95])
    return {
        "covers": float(low <= truth <= high),
        "log width": float(np.log(high / low)),
        "refused": float(bool(post.diagnose().refusals)),
    }


def main(tables: int, draws: int | None = None) -> pd.DataFrame:
    """Fit every table with every form."""
    rows = []
    for name, truth in TRUTHS.items():
        for seed in range(tables):
            runs, ratio = simulated(truth, seed)
            for role, law in (
                ("crossover", "crossover"),
                ("own form", truth.law),
                ("wrong form", truth.wrong),
            ):
                row = fitted(law, runs, ratio, seed, draws)
                rows.append({"truth": name, "fitted with": role, "law": law, **row})
    return pd.DataFrame(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=20)
    parser.add_argument("--draws", type=int, default=None)
    options = parser.parse_args()
    start = time.process_time()
    results = main(options.tables, options.draws)
    print(
        results.groupby(["truth", "fitted with", "law"], sort=False)
        .agg(coverage=("covers", "mean"), width=("log width", "mean"), refused=("refused", "mean"))
        .round(3)
        .to_string()
    )
    print(f"{options.tables} tables of {RUNS} runs each, {time.process_time() - start:.0f} CPU s")
