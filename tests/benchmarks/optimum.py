"""Do intervals of the optimal model size hold at larger budgets?

    BAYESCALE_DATA=... python tests/benchmarks/optimum.py

Where the larger runs of a setting of `extrapolation.py` lie on budgets, the best N of each is read
off them alone (`isoflop.py`). The plan of the posterior that saw the
smaller runs only, with the drift that the other sources teach, gives draws of N* at that budget; to
each the error of the parabola is added. Coverage is averaged within a source first; beside it
without the tilt and by the law alone. Kept in `optimum.json`.
"""

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from drift_reference import RESULTS as REFERENCE
from extrapolation import settings
from fitted import fitted
from isoflop import compute_of, optima

import bayescale as bs
from bayescale.models.drift import Drift

RESULTS = Path(__file__).with_suffix(".json")
COMMAND = "python tests/benchmarks/optimum.py"
TILTS = {"with tilt": 1.0, "no tilt": 0.0}


def main() -> None:
    warnings.simplefilter("ignore")
    reference = json.loads(REFERENCE.read_text("utf-8"))["laws"]["share"]
    rng, rows = np.random.default_rng(0), []
    for one in settings():
        known = optima(one.future)
        if not known:
            continue
        post = fitted(one, "share")
        assert post.model is not None
        drift = Drift.from_dict(reference[one.source]["drift"])
        for label, share in TILTS.items():
            model = replace(post.model, drift=replace(drift, tilt=share * drift.tilt))
            plan = bs.plan(replace(post, model=model), compute=[at[0] for at in known], force=True)
            draws = np.log(plan.resources["N"])
            for j, (compute, seen, error) in enumerate(known):
                noisy = draws[:, j] + error * rng.standard_normal(len(draws))
                rank = float(np.mean(noisy < seen))
                rows.append(
                    {
                        "source": one.source,
                        "setting": one.name,
                        "way": label,
                        "compute": float(f"{compute:.3g}"),
                        "times the cut": float(f"{np.exp(compute_of(one.past, compute)):.3g}"),
                        "N": float(f"{np.exp(seen):.3g}"),
                        "error": round(error, 3),
                        "forecast": float(f"{np.exp(np.median(draws[:, j])):.3g}"),
                        "low": float(f"{np.exp(np.quantile(noisy, 0.1)):.3g}"),
                        "high": float(f"{np.exp(np.quantile(noisy, 0.9)):.3g}"),
                        "rank": round(rank, 3),
                    }
                )
    table = pd.DataFrame(rows)
    for level in (0.5, 0.8, 0.95):
        table[f"covered_{level * 100:g}"] = (table["rank"] - 0.5).abs() <= level / 2
    print(table.drop(columns="source").to_string())
    names = [name for name in table if str(name).startswith("covered")]
    by_setting = table.groupby(["way", "source", "setting"])[names].mean()
    by_source = by_setting.groupby(["way", "source"]).mean()
    print(by_source, by_source.groupby("way").mean(), sep="\n")
    kept: dict[str, Any] = {
        "command": COMMAND,
        "seed": 0,
        "coverage": by_source.groupby("way").mean().round(3).to_dict(orient="index"),
        "by source": by_source.round(3).reset_index().to_dict(orient="records"),
        "budgets": table.to_dict(orient="records"),
    }
    RESULTS.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
