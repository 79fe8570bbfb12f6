"""How fast plans are: CPU seconds of each kind, the second time in one process.

    python tests/benchmarks/plan.py --draws 4000 --budgets 50

The first time each pays for compiling what it needs, as a user's first plan does; both are printed.
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import bayescale as bs
from bayescale.planning.objectives import OBJECTIVES


def draws(count: int) -> bs.Posterior:
    rng = np.random.default_rng(0)
    centre = {"E": 1.817, "A": 482.0, "B": 2085.4, "alpha": 0.3478, "beta": 0.3659}
    spread = {"E": 0.014, "A": 0.05, "B": 0.05, "alpha": 0.04, "beta": 0.05}
    values = {n: v * np.exp(spread[n] * rng.standard_normal(count)) for n, v in centre.items()}
    return bs.Posterior.from_draws("chinchilla", values)


def seconds(function: Callable[[], Any]) -> dict[str, float]:
    out = {}
    for name in ("first", "again"):
        start = time.process_time()
        function()
        out[name] = round(time.process_time() - start, 3)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=4000)
    parser.add_argument("--budgets", type=int, default=50)
    options = parser.parse_args()
    post, budgets = draws(options.draws), np.geomspace(1e20, 1e26, options.budgets)
    kinds: dict[str, Callable[[], Any]] = {
        name: lambda name=name: bs.plan(post, compute=budgets, objective=name)
        for name in OBJECTIVES
    }
    kinds["served, no closed form"] = lambda: bs.plan(post, compute=budgets, inference_tokens=1e9)
    kinds["one target"] = lambda: bs.plan(post, target=2.0)
    kinds["valley of one budget"] = lambda: bs.plan(post, compute=1e24).valley()
    kinds["one allocation judged"] = lambda: bs.plan(post, allocation={"N": 7e10, "D": 1.4e12})
    print(json.dumps({name: seconds(kind) for name, kind in kinds.items()}, indent=2))


if __name__ == "__main__":
    main()
