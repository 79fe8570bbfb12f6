"""Summaries of fits, plans and designs at fixed seeds: what a change of structure must not change.

    python tests/reference/summaries.py > summaries.json

`summaries.json` was made by version 0.1 (where ``limits=Limits(D_max=...)`` was ``D_max=...``), on
tables that the project ships and through public names alone. What samples by programs that did not
change since gives the same digits on the same machine: groups, many tables, `calibrate`. Of single
fits the numbers of the priors have become arguments of the program, so that sums round differently
and chains part: `tests/test_bayescale/test_summaries.py` allows for their Monte Carlo error. Two
laws that do not hold the gate has since come to refuse, and the statuses say so.
"""

import json
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import bayescale as bs


def table(frame: Any) -> dict[str, float]:
    """Every number of a table by its row and column."""
    out = {}
    for row, values in zip(frame.index, frame.to_numpy(), strict=True):
        for column, value in zip(frame.columns, values, strict=True):
            if isinstance(value, int | float):
                out[f"{row}/{column}"] = float(value)
    return out


def posterior(post: Any) -> dict[str, Any]:
    return {"numbers": table(post.summary()), "status": str(post.diagnose().status)}


def few(runs: bs.Runs, count: int, seed: int = 0) -> bs.Runs:
    import numpy as np

    order = np.random.default_rng(seed).permutation(len(runs))
    return runs.select(order < count)


def cases() -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """Name and computation of each case; the later ones use the fits of the earlier."""
    runs = bs.load("tiny_lm")
    fits: dict[str, Any] = {}

    def fit(name: str, **options: Any) -> Callable[[], dict[str, Any]]:
        def make() -> dict[str, Any]:
            fits[name] = bs.fit(runs, seed=0, **options)
            return posterior(fits[name])

        return make

    yield "fit chinchilla", fit("chinchilla", law="chinchilla")
    yield "fit share", fit("share", law="share")
    yield "fit kaplan, Laplace", fit("kaplan", law="kaplan", engine="laplace")
    yield (
        "fit Normal noise, Laplace",
        fit("normal", law="share", engine="laplace", likelihood="normal"),
    )
    yield (
        "fit contaminated, Laplace",
        fit("contaminated", law="share", engine="laplace", likelihood="contaminated"),
    )
    yield (
        "fit heteroscedastic, Laplace",
        fit("heteroscedastic", law="share", engine="laplace", likelihood="heteroscedastic"),
    )
    yield (
        "fit a formula, Laplace",
        fit("formula", law="E + A*N**-alpha + B*D**-beta", engine="laplace"),
    )
    yield (
        "predict",
        lambda: {
            "numbers": table(
                fits["share"].predict(N=[1e5, 1e6], D=[1e7, 1e8], noise=True).summary()
            )
        },
    )
    yield (
        "plan a budget",
        lambda: {"numbers": table(bs.plan(fits["share"], compute=[3e14, 1e15]).summary())},
    )
    yield (
        "plan a target",
        lambda: {
            "numbers": table(bs.plan(fits["chinchilla"], target=1.3, confidence=0.8).summary())
        },
    )
    yield (
        "plan with serving and limits",
        lambda: {
            "numbers": table(
                bs.plan(
                    fits["chinchilla"],
                    compute=1e15,
                    inference_tokens=1e9,
                    limits=bs.Limits(D_max=2e7),
                    objective="cvar(0.9)",
                ).summary()
            )
        },
    )
    yield (
        "design",
        lambda: {
            "numbers": table(bs.design(fits["share"], budget=1e14, at=3e15, seed=0).summary())
        },
    )
    yield "regime", lambda: {"numbers": table(bs.regime(fits["share"]).summary())}

    def groups() -> dict[str, Any]:
        import pandas as pd

        half = few(runs, 80).table
        half = half.assign(corpus=["a" if i % 2 else "b" for i in range(len(half))])
        made = bs.fit_groups(
            bs.read_runs(pd.DataFrame(half)), "chinchilla", groups="corpus", seed=0
        )
        return posterior(made)

    yield "fit groups", groups
    yield (
        "fit many",
        lambda: {
            "numbers": table(
                bs.fit_many(
                    [few(runs, 40, seed) for seed in range(3)], "chinchilla", seed=0
                ).summary()
            )
        },
    )

    def stacked() -> dict[str, Any]:
        both = bs.stack({name: fits[name] for name in ("chinchilla", "share")}, by="lfo", seed=0)
        return {"numbers": table(both.summary()) | table(bs.plan(both, compute=1e15).summary())}

    yield "stack and plan", stacked
    yield "calibrate", lambda: {"numbers": table(bs.calibrate(runs, seed=0).summary())}


def summaries() -> dict[str, Any]:
    """Every case's numbers."""
    out = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, make in cases():
            out[name] = make()
            print(name, file=sys.stderr)
    return out


if __name__ == "__main__":
    print(json.dumps(summaries(), indent=1))
