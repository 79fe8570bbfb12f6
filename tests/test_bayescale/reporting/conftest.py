"""Reports that several tests look at."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayescale as bs

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
"""What a run, a table, a law's name or a path may be called."""


@pytest.fixture(scope="session")
def hostile() -> bs.Posterior:
    """A fit of runs with one gross outlier, whose names try to run code."""
    rng = np.random.default_rng(3)
    size, data = np.exp(rng.uniform(16, 20, 40)), np.exp(rng.uniform(20, 24, 40))
    loss = (1.8 + 480 * size**-0.35 + 2000 * data**-0.37) * np.exp(0.003 * rng.standard_normal(40))
    loss[7] *= 1.3
    names = [f"run {i} {HOSTILE}" for i in range(40)]
    table = pd.DataFrame({"N": size, "D": data, "loss": loss, "run": names})
    runs = bs.read_runs(table, name=f"table {HOSTILE}")
    return bs.fit(runs, law="chinchilla", engine="laplace", seed=0)


@pytest.fixture(scope="session")
def hostile_page(hostile: bs.Posterior, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole report of it: plan, present plan, design, planner."""
    plan = bs.plan(hostile, compute=1e21, present={"N": 1e8}, force=True)
    design = bs.design(hostile, 1e19, 1e21, single_law=True, draws=8, force=True)
    path = tmp_path_factory.mktemp("report") / "report.html"
    return bs.report(hostile, plan, path, design=design, commands=(HOSTILE,), force=True)
