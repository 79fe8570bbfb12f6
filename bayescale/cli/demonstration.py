"""The demonstration behind ``bayescale demo``: the project's own ladder, from table to plan."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayescale import plots
from bayescale.fitting.fit import fit
from bayescale.planning.plan import plan
from bayescale.progress import Progress
from bayescale.runs.datasets import load
from bayescale.runs.reading import titles
from bayescale.validation.hold_out import hold_out

if TYPE_CHECKING:
    from bayescale.planning.result import Plan
    from bayescale.posteriors.posterior import Posterior
    from bayescale.runs.table import Runs
    from bayescale.validation.hold_out import HoldOut

HELD_OUT = 0.8
"""Runs above this quantile of compute are held out when the laws are compared."""

LAWS = ("chinchilla", "share")
"""The laws that are compared: the default, and one with a free crossover."""

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
    """Fit `tiny_lm` with two laws, compare them out of range, plan with the better, draw it.

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
        held_out = {law: hold_out(_fit(law, small, seed, stage), large, force=True) for law in LAWS}
        posteriors = {law: _fit(law, runs, seed, stage) for law in LAWS}
    table = pd.DataFrame(map(_scores, held_out.values()), index=pd.Index(LAWS, name="law"))
    best = str(table["log score a run"].idxmax())
    say(
        f"1. Which law predicts larger runs? Fitted to the {len(small)} runs up to {cut:.3g} FLOP, "
        f"tested on the {len(large)} above:"
    )
    show(table)
    say(f"{_verdict(table)}\n")
    posterior = posteriors[best]
    say(f"2. The posterior of the {best} law on all {len(runs)} runs,")
    say(f"   L = {posterior.law.formula_text()}:")
    show(posterior.summary())
    verdict = posterior.diagnose() + held_out[best].diagnosis.labelled("fitted to the smaller runs")
    say(f"diagnostics: {verdict}\n")
    budget = FARTHER * float(runs.column("C").max())
    plans = {law: plan(post, compute=budget, force=True) for law, post in posteriors.items()}
    say(f"3. The compute-optimal run at {FARTHER:.0f} times the largest compute, {best} law:")
    show(plans[best].summary())
    say("\n".join(f"warning: {reason}" for reason in plans[best].diagnosis.reasons))
    for law in LAWS:
        if law != best:
            say(f"warning: {_instead(law, plans[law])}")
    say(_draw(out, posterior, plans[best]))
    say(
        f"Next, your own table ({titles()}, one row a run):\n"
        '  bayescale fit runs.csv --column N="Model Size" --column C="Training FLOP" -o fit.nc\n'
        "  bayescale plan fit.nc --compute 1e24"
    )


def _fit(law: str, runs: "Runs", seed: int, stage: Progress) -> "Posterior":
    return fit(runs, law=law, seed=seed, progress=lambda text: stage(f"{law}: {text}"))


def _scores(score: "HoldOut") -> dict[str, float]:
    return {
        "log score a run": score.log_score,
        "RMSE of log loss": score.rmse,
        "90% coverage": score.coverage,
        "mean width": score.width,
    }


def _verdict(table: pd.DataFrame) -> str:
    ordered = table.sort_values("log score a run", ascending=False)
    (best, other), scores = ordered.index[:2], ordered["log score a run"]
    return (
        f"The {best} law predicts them better than the {other} law, by "
        f"{scores.iloc[0] - scores.iloc[1]:.2g} nats a run in log score (higher is better)."
    )


def _instead(law: str, other: "Plan") -> str:
    sizes, loss = (
        np.quantile(draws[:, 0], [0.1, 0.9]) for draws in (other.resources["N"], other.loss)
    )
    return (
        f"the {law} law would say N from {sizes[0]:.3g} to {sizes[1]:.3g} and a loss from "
        f"{loss[0]:.3g} to {loss[1]:.3g} (80%): the form matters as much as the data."
    )


def _draw(out: Path, posterior: "Posterior", allocation: "Plan") -> str:
    out.mkdir(parents=True, exist_ok=True)
    figures = {
        "fit.png": plots.fit(posterior, force=True),
        "exponents.png": plots.exponents(posterior, force=True),
        "frontier.png": plots.frontier(posterior, allocation, force=True),
    }
    for name, figure in figures.items():
        plots.save(figure, out / name)
    saved = posterior.save(out / "tiny_lm.nc")
    names = ", ".join(str(out / name) for name in figures)
    return f"\n4. Plots: {names}; posterior: {saved}\n"
