"""Do trained networks have the exponents that theory gives, in each of the four regimes?

The rows of `teacher_student` are sorted by a law fitted to them: the share law without a floor, on
widths of 8 and more and 128 and more examples. A row is limited by the resolution of one resource
where the other's share of the loss is below a tenth, and by the variance of one where its own share
is below a half. Then a single power is fitted to each slice: without a floor for a resolution,
above a free one (the limit that variance is about) for a variance, with Normal noise in log loss
and priors that prefer no exponent between 0.2 and 3.

Theory has 1 for variance in examples and in width (1/2 in parameters); for resolution it gives a
prior only, by the dimension of the inputs.

Part `floor`: a free floor in the share law, and other treatments of it, on all rows and on those of
widths of 8 and more and 128 and more examples; the truth is 0.

    python tests/benchmarks/teacher_student.py [regimes floor]
"""

import argparse
import json
import math
import time
import warnings
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd

import bayescale as bs
from bayescale.errors import DiagnosticsWarning

RESULTS = Path(__file__).with_suffix(".json")
NO_FLOOR = "((A*N**-alpha)**q + (B*D**-beta)**q)**(1/q)"
FLAT = bs.Prior.around(math.sqrt(0.2 * 3), 0.8)
"""Of an exponent: 0.2 to 3 within its middle 90%."""

RESOLVED, VARYING = 0.1, 0.5
SLICES = {"variance in D": (8, 12, 16, 24), "variance in width": (128, 256, 512, 1024, 2048)}


def usual(table: pd.DataFrame) -> pd.DataFrame:
    """Rows that no double descent or stuck student disturbs."""
    return table[(table["width"] >= 8) & (table["D"] >= 128)].reset_index(drop=True)


def size_share(table: pd.DataFrame) -> pd.Series:
    """Share of the size-limited loss in the total, by the fitted law."""
    post = bs.fit(bs.read_runs(table), NO_FLOOR, engine="laplace", seed=0)
    at = post.summary()["mean"]
    terms = [
        (at[amplitude] * table[name] ** -at[power]) ** at["q"]
        for amplitude, name, power in (("A", "N", "alpha"), ("B", "D", "beta"))
    ]
    return terms[0] / (terms[0] + terms[1])


def slices(table: pd.DataFrame) -> dict[tuple[str, str], pd.DataFrame]:
    """Rows of each slice by regime and label; columns: x, the resource that varies, and loss."""
    share = size_share(table)
    width, size = table["width"], table["D"]
    found = {
        ("resolution of D", f"N = {table['N'].max():.0f}"): (
            "D",
            (width == width.max()) & (share < RESOLVED),
        ),
        ("resolution of N", f"D = {size.max():.0f}"): (
            "N",
            (size == size.max()) & (share > 1 - RESOLVED),
        ),
    }
    for at in SLICES["variance in D"]:
        found["variance in D", f"width {at}"] = "D", (width == at) & (share > VARYING)
    for at in SLICES["variance in width"]:
        found["variance in width", f"D = {at}"] = "width", (size == at) & (share < VARYING)
    out = {
        key: table.loc[rows, ["seed", name, "loss"]].rename(columns={name: "x"})
        for key, (name, rows) in found.items()
    }
    return {k: paired(v) if k[0] == "variance in width" else v for k, v in out.items()}


def paired(rows: pd.DataFrame) -> pd.DataFrame:
    """Geometric means over the two seeds that all widths have: their examples are the same."""
    both = rows[rows["seed"] < 2].assign(loss=lambda table: np.log(table["loss"]))
    means = both.groupby("x", as_index=False)["loss"].mean()
    return means.assign(loss=np.exp(means["loss"]))


def regimes() -> dict[str, Any]:
    """Posterior of the exponent of every slice."""
    parts, out = slices(usual(bs.load("teacher_student").table)), []
    for floor in (False, True):
        chosen = {key: rows for key, rows in parts.items() if floor == key[0].startswith("var")}
        tables = [
            bs.read_runs(
                rows[["x", "loss"]].rename(columns={"x": "N"}).reset_index(drop=True),
                on_duplicates="keep",
            )
            for rows in chosen.values()
        ]
        law = bs.parse_law("E + A*N**-alpha" if floor else "A*N**-alpha")
        prior = {"alpha": FLAT}
        if floor:
            prior["floor_fraction"] = bs.Prior("Beta", alpha=1, beta=1)
        fits = bs.fit_many(tables, law, likelihood="normal", prior=prior, seed=0)
        exponents = fits.summary().xs("alpha", level="parameter")
        for (regime, label), rows, (_, one), status in zip(
            chosen, chosen.values(), exponents.iterrows(), fits.diagnostics["status"], strict=True
        ):
            line = {
                "regime": regime,
                "slice": label,
                "from": rows["x"].min(),
                "to": rows["x"].max(),
            }
            line |= {"runs": len(rows), **one[["mean", "q05", "q95"]], "status": status}
            out.append(line)
    table = pd.DataFrame(out)
    print(table.round(3).to_string())
    return {"slices": table.to_dict(orient="records")}


def floor() -> dict[str, Any]:
    """Posterior of the floor, which is 0, and of the exponents, under four treatments."""
    runs, out = bs.load("teacher_student"), []
    small = (runs.table["width"] >= 8) & (runs.table["D"] >= 128)
    kinds: dict[str, tuple[str, dict[str, bs.Prior]]] = {
        "share, default prior": ("share", {}),
        "share, floor Beta(1, 3)": ("share", {"floor_fraction": bs.Prior("Beta", alpha=1, beta=3)}),
        "share with two sharpnesses": ("share_free", {}),
        "share without a floor": (NO_FLOOR, {}),
    }
    for rows, chosen in (("all", runs), ("usual", runs.select(small.to_numpy()))):
        for kind, (law, prior) in kinds.items():
            post = bs.fit(chosen, law, prior=prior, engine="laplace", seed=0)
            for name in ("E", "alpha", "beta", "sigma"):
                if name in (table := post.summary()).index:
                    line = {"rows": rows, "law": kind, "parameter": name}
                    out.append(line | dict(table.loc[name, ["mean", "sd"]]))
    table = pd.DataFrame(out)
    print(table.round(4).to_string())
    return {"posteriors": table.to_dict(orient="records")}


PARTS = {"regimes": regimes, "floor": floor}


def main(parts: list[str]) -> None:
    """Run the parts and put their results in place of those kept."""
    for part in parts:
        start = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DiagnosticsWarning)
            result = PARTS[part]()
        result["cpu_seconds"] = round(time.process_time() - start, 1)
        kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        plain = json.dumps(result, default=float)
        rounded = json.loads(plain, parse_float=lambda text: float(f"{float(text):.4g}"))
        RESULTS.write_text(json.dumps(kept | {part: rounded}, indent=1) + "\n")


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(PARTS), help=", ".join(PARTS))
    main(parser.parse_args().parts)
