"""Does the gate know which forecasts will be bad?

    BAYESCALE_DATA=... python tests/benchmarks/gate.py

For every setting of `extrapolation.py` the default law's fit to the smaller runs is asked what its
own larger runs said (`bayescale.fitting.own_cuts`), and how wrong its forecasts of the runs ahead
then were: bad where their root mean square error exceeds 3% of the loss. The area under the curve
is the chance that a bad setting has the larger mark than a good one. A mark has no number that is
learnt, so leaving a source out changes the area only by what is left; the least of these areas is
given too. What counts as bad, and the slope from which the gate warns, were chosen on these
settings. Marks: the mean slope of the table's own cuts, their own error taken off, which the gate
reports and warns of; the same times the distance of the runs ahead; whether the gate warns for any
other reason. Kept in `gate.json`.
"""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from extrapolation import settings
from fitted import fitted
from scipy.stats import rankdata

from bayescale.fitting.own_cuts import own_cuts
from bayescale.models.drift import beyond
from bayescale.posteriors.checks.gate import judge
from bayescale.posteriors.checks.own_cuts import MOST_SLOPE, mean_slope

RESULTS = Path(__file__).with_suffix(".json")
COMMAND = "python tests/benchmarks/gate.py"
BAD = 0.03
MARKS = ("slope", "slope times distance", "warned otherwise")


def area(bad: np.ndarray, mark: np.ndarray) -> float:
    """Area under the receiver's operating curve, ties counted half."""
    ranks, count = rankdata(mark), int(bad.sum())
    return float((ranks[bad].sum() - count * (count + 1) / 2) / (count * (~bad).sum()))


def main() -> None:
    warnings.simplefilter("ignore")
    rows: list[dict[str, Any]] = []
    for one in settings():
        post = fitted(one, "share")
        assert post.model is not None
        assert post.seen is not None
        logs = {name: np.log(one.future.column(name)) for name in post.sizes}
        law = np.median(post.log_law({n: v[None] for n, v in logs.items()}, tilt=False), axis=0)
        error = np.log(one.future.loss) - law
        slope = mean_slope(own_cuts(post.model, one.past, seed=0))
        old = [r for r in judge(post).reasons if "own larger runs" not in r]
        rows.append(
            {
                "setting": one.name,
                "source": one.source,
                "rmse": float(f"{np.sqrt(np.mean(error**2)):.3g}"),
                "slope": None if slope is None else float(f"{slope:.3g}"),
                "distance": float(f"{beyond(post.seen, logs, post.sizes).mean():.3g}"),
                "warned otherwise": bool(old),
            }
        )
    table = pd.DataFrame(rows).dropna()
    table["slope times distance"] = table["slope"] * table["distance"]
    bad = (table["rmse"] > BAD).to_numpy()
    found: dict[str, Any] = {}
    for mark in MARKS:
        values = table[mark].to_numpy(np.float64)
        left = [
            area(bad[kept], values[kept])
            for source in table["source"].unique()
            if bad[kept := (table["source"] != source).to_numpy()].any()
        ]
        found[mark] = {"area": round(area(bad, values), 3), "least": round(min(left), 3)}
    warned = (table["slope"] > MOST_SLOPE).to_numpy()
    found["warned now"] = {
        "of bad": f"{int((warned & bad).sum())} of {int(bad.sum())}",
        "of good": f"{int((warned & ~bad).sum())} of {int((~bad).sum())}",
    }
    old = table["warned otherwise"].to_numpy(bool)
    found["warned otherwise"] |= {
        "of bad": f"{int((old & bad).sum())} of {int(bad.sum())}",
        "of good": f"{int((old & ~bad).sum())} of {int((~bad).sum())}",
    }
    print(table.to_string(), json.dumps(found, indent=1), sep="\n")
    kept = {"command": COMMAND, "seed": 0, "bad above": BAD, **found, "settings": rows}
    RESULTS.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
