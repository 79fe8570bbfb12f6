"""What is a prior from the inputs' geometry worth? Six runs, extrapolated, with and without it.

Fifty times, six runs of `teacher_student` are drawn: widths of 8 to 48 (N of 129 to 2689) on 128 to
2048 examples, at least three sizes of each. The law without a floor, as the labels hold no noise,
is fitted with Normal noise in log loss, and the mean loss is foretold at widths of 96 to 192 on
8192 to 32768 examples: nine cells, the last of them the largest N and D. Priors of the exponents:

* default: LogNormal(0.3, 0.4), that of language models;
* vague: LogNormal(0.5, 1), for who knows nothing of either;
* geometry: `prior_from_data` on points of the sphere, smoothness unknown;
* geometry, smoothness 3: the same, with that of the teacher's kernel.

Printed and kept in geometry_prior.json beside this file: median width of the central 90% interval
of log loss, the share of truths (geometric means over seeds) inside, the root mean square error of
the median, and the interval score (width plus 20 times the miss; less is better), with the drift
that predictions include by default and without.

    python tests/benchmarks/geometry_prior.py [additive share]

The default is the additive law; the share law takes one unknown more, and two minutes.
"""

import argparse
import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd

import bayescale as bs
from bayescale.diagnosis import Status
from bayescale.errors import DiagnosticsWarning
from bayescale.models.geometry_priors import prior_from_data

HERE = Path(__file__).resolve()
RESULTS = HERE.with_suffix(".json")
LAWS = {
    "additive": "A*N**-alpha + B*D**-beta",
    "share": "((A*N**-alpha)**q + (B*D**-beta)**q)**(1/q)",
}
SUBSETS, RUNS = 50, 6
VAGUE = bs.Prior.around(0.5, 1.0)


def subsets(table: pd.DataFrame, count: int = SUBSETS) -> list[bs.Runs]:
    """Six runs each, of small and middling students."""
    pool = table[table["width"].between(8, 48) & table["D"].between(128, 2048)]
    rng, found = np.random.default_rng(0), []
    while len(found) < count:
        rows = pool.iloc[rng.choice(len(pool), RUNS, replace=False)]
        if rows["N"].nunique() >= 3 and rows["D"].nunique() >= 3:
            found.append(bs.read_runs(rows[["N", "D", "loss"]].reset_index(drop=True)))
    return found


def targets(table: pd.DataFrame) -> pd.DataFrame:
    """The nine largest cells, with the mean log loss over seeds."""
    large = table[(table["width"] >= 96) & (table["D"] >= 8192)]
    logs = large.assign(log_loss=np.log(large["loss"]))
    return logs.groupby(["N", "D"], as_index=False)["log_loss"].mean()


def sphere() -> np.ndarray:
    """Inputs of the kind that the students saw; their labels are not needed."""
    sys.path.insert(0, str(HERE.parents[2] / "datasets" / "teacher_student"))
    import model

    return model.sphere(4096, np.random.default_rng(0))


def priors(inputs: np.ndarray, law: str) -> dict[str, dict[str, bs.Prior]]:
    """Priors of the exponents by name."""
    return {
        "default": {},
        "vague": {"alpha": VAGUE, "beta": VAGUE},
        "geometry": dict(prior_from_data(inputs, law=law)),
        "geometry, smoothness 3": dict(prior_from_data(inputs, law=law, smoothness=3)),
    }


def scores(fits: list[bs.Posterior], truth: pd.DataFrame, drift: bool) -> dict[str, float]:
    """Of the central 90% intervals of log loss, over subsets and cells."""
    sizes = {name: truth[name].to_numpy() for name in ("N", "D")}
    draws = [np.log(one.predict(**sizes, drift=drift, force=True).draws) for one in fits]
    low, middle, high = np.stack([np.quantile(one, [0.05, 0.5, 0.95], axis=0) for one in draws], 1)
    aim = truth["log_loss"].to_numpy()
    inside = (low < aim) & (aim < high)
    miss = np.maximum(low - aim, 0) + np.maximum(aim - high, 0)
    return {
        "width": float(np.median(high - low)),
        "width_largest": float(np.median(high[:, -1] - low[:, -1])),
        "coverage": float(inside.mean()),
        "coverage_largest": float(inside[:, -1].mean()),
        "rmse": float(np.sqrt(np.mean((middle - aim) ** 2))),
        "rmse_largest": float(np.sqrt(np.mean((middle - aim)[:, -1] ** 2))),
        "interval_score": float(np.mean(high - low + 20 * miss)),
    }


def measure(name: str) -> dict[str, Any]:
    """All subsets under all priors by one program; scores of each prior."""
    table = bs.load("teacher_student").table
    tables, truth = subsets(table), targets(table)
    law = bs.parse_law(LAWS[name])
    kinds = priors(sphere(), LAWS[name])
    models = [
        bs.Model.for_runs(law, runs, likelihood="normal", prior=prior)
        for prior in kinds.values()
        for runs in tables
    ]
    fits = list(bs.fit_many(tables * len(kinds), models, seed=0))
    finite = np.array(
        [all(np.isfinite(x).all() for x in one.log_parameters.values()) for one in fits]
    ).reshape(len(kinds), -1)
    # The same subsets for every prior.
    kept = np.flatnonzero(finite.all(axis=0))
    out: dict[str, Any] = {"subsets": len(kept), "without draws": int((~finite).sum())}
    for at, kind in enumerate(kinds):
        chosen = [fits[at * len(tables) + i] for i in kept]
        refused = sum(one.diagnose().status is Status.REFUSE for one in chosen)
        with_drift, without = (scores(chosen, truth, drift) for drift in (True, False))
        out[kind] = {"refused": refused, "with drift": with_drift, "law alone": without}
    return out


def main(names: list[str]) -> None:
    """Measure under the laws named and put the results in place of those kept."""
    for name in names:
        start = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DiagnosticsWarning)
            result = measure(name)
        result["cpu_seconds"] = round(time.process_time() - start, 1)
        kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        rounded = json.loads(json.dumps(result), parse_float=lambda x: round(float(x), 3))
        RESULTS.write_text(json.dumps(kept | {name: rounded}, indent=1) + "\n")
        print(name, json.dumps(rounded, indent=1), flush=True)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("laws", nargs="*", default=["additive"], help=", ".join(LAWS))
    main(parser.parse_args().laws)
