"""The demonstration behind ``bayescale demo``: the project's own ladder, from table to plan."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayescale import compare, plots
from bayescale._fit import fit
from bayescale._plan import plan
from bayescale.data import load
from bayescale.engines.engine import Progress

if TYPE_CHECKING:
    from bayescale._plan import Plan
    from bayescale.posterior import Posterior
    from bayescale.runs import Runs

HELD_OUT = 0.8
"""Runs above this quantile of compute are held out when the laws are compared."""

FARTHER = 100.0
"""The plan's budget, in multiples of the largest run's compute."""


def run(
    out: Path,
    *,
    seed: int,
    progress: Callable[[], AbstractContextManager[Progress]],
    show: Callable[[pd.DataFrame], None],
    say: Callable[[str], None],
) -> None:
    """Fit `tiny_lm` with two laws, compare them out of range, plan, and draw three plots.

    Parameters
    ----------
    out
        Folder for the plots and the posterior.
    seed
        Seed of everything random.
    progress
        Context that yields a function to report stages to.
    show, say
        Print a table, print a line.
    """
    runs = load("tiny_lm")
    say(f"{runs}\nReally trained byte-level language models, shipped with bayescale.\n")
    cut = float(np.quantile(runs.column("C"), HELD_OUT))
    small, large = runs.select(runs.column("C") <= cut), runs.select(runs.column("C") > cut)
    with progress() as stage:
        scores = {law: _score(law, small, large, seed, stage) for law in ("chinchilla", "share")}
        posterior = fit(runs, law="chinchilla", seed=seed, progress=stage)
    table = pd.DataFrame(scores).T.rename_axis("law")
    say(
        f"1. Which law predicts larger runs? Fitted to the {len(small)} runs up to {cut:.3g} FLOP, "
        f"tested on the {len(large)} above:"
    )
    show(table)
    say(f"{_verdict(table)}\n")
    say(f"2. The posterior on all {len(runs)} runs, {posterior.law.formula_text()}:")
    show(posterior.summary())
    say(f"diagnostics: {posterior.diagnose()}\n")
    budget = FARTHER * float(runs.column("C").max())
    allocation = plan(posterior, compute=budget)
    say(f"3. The compute-optimal run at {FARTHER:.0f} times the largest compute:")
    show(allocation.summary())
    say("\n".join(f"warning: {reason}" for reason in allocation.diagnosis.warnings))
    say(_draw(out, posterior, allocation))
    say(
        "Next, your own table (CSV or Parquet, one row a run):\n"
        '  bayescale fit runs.csv --column N="Model Size" --column C="Training FLOP" -o fit.nc\n'
        "  bayescale plan fit.nc --compute 1e24"
    )


def _score(
    law: str, small: "Runs", large: "Runs", seed: int, stage: Progress
) -> dict[str, float | int]:
    posterior = fit(small, law=law, seed=seed, progress=lambda text: stage(f"{law}: {text}"))
    score = compare.hold_out(posterior, large, force=True)
    return {
        "log score a run": score.log_score,
        "RMSE of log loss": score.rmse,
        "90% coverage": score.coverage,
        "mean width": score.width,
    }


def _verdict(table: pd.DataFrame) -> str:
    ordered = table["log score a run"].sort_values(ascending=False)
    best, other = ordered.index[:2]
    gain = ordered.iloc[0] - ordered.iloc[1]
    return (
        f"The {best} law predicts them better than the {other} law, by {gain:.2g} nats a run "
        "in log score (higher is better)."
    )


def _draw(out: Path, posterior: "Posterior", allocation: "Plan") -> str:
    out.mkdir(parents=True, exist_ok=True)
    figures = {
        "fit.png": plots.fit(posterior),
        "exponents.png": plots.exponents(posterior),
        "frontier.png": plots.frontier(posterior, allocation),
    }
    for name, figure in figures.items():
        plots.save(figure, out / name)
    saved = posterior.save(out / "tiny_lm.nc")
    names = ", ".join(str(out / name) for name in figures)
    return f"\n4. Plots: {names}; posterior: {saved}\n"
