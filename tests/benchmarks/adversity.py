"""Pathological tables: is the truth in the interval, or does the verdict refuse or name the fault?

    python tests/benchmarks/adversity.py [SEEDS [FIRST]]

Every table is of one additive law and has a fault planted into it. The default law is fitted, and
the loss of a run of ten times the largest size and data is asked for. A cell is confident and wrong
where the 95% interval misses the truth, and the verdict neither refuses nor warns of what was
planted: of a finding of the audit by its sentence, of others by any warning. The thresholds of the
library were chosen with seeds from 0 on in view; seeds from another FIRST are new to it. Kept in
`adversity.json`, with the seeds of the cells that were confident and wrong.
"""

import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

import bayescale as bs

RESULTS = Path(__file__).with_suffix(".json")
COMMAND = "python tests/benchmarks/adversity.py"
SEEDS, FIRST = 10, 0
COLUMNS = ("held", "refused", "named", "warned", "confident and wrong")
COUNT = 48
NOISE = 0.004

Table = pd.DataFrame
Fault = Callable[[Table, np.random.Generator], Table]


def true_loss(n: np.ndarray | float, d: np.ndarray | float) -> np.ndarray:
    """The law of every table."""
    return np.asarray(1.7 + 400 * np.asarray(n) ** -0.34 + 400 * np.asarray(d) ** -0.28)


def made(rng: np.random.Generator, count: int = COUNT, noise: float = NOISE) -> Table:
    """Runs at random sizes."""
    n, d = 10 ** rng.uniform(7, 9.5, count), 10 ** rng.uniform(9, 11, count)
    loss = true_loss(n, d) * np.exp(noise * rng.standard_t(5, count))
    return pd.DataFrame({"N": n, "D": d, "loss": loss})


def some(rng: np.random.Generator, count: int, of: int = COUNT) -> np.ndarray:
    return rng.choice(of, count, replace=False)


def in_rows(column: str, factor: float, count: int) -> Fault:
    def planted(table: Table, rng: np.random.Generator) -> Table:
        values = table[column].to_numpy().copy()
        values[some(rng, count)] *= factor
        return table.assign(**{column: values})

    return planted


def everywhere(column: str, factor: float) -> Fault:
    return lambda table, _: table.assign(**{column: table[column] * factor})


def two_corpora(named: bool, shift: float) -> Fault:
    def planted(table: Table, rng: np.random.Generator) -> Table:
        other = rng.uniform(size=len(table)) < 0.5
        moved = table.assign(loss=table["loss"] * np.where(other, 1 + shift, 1.0))
        return moved.assign(corpus=np.where(other, "books", "web")) if named else moved

    return planted


def checkpoints(named: bool) -> Fault:
    def planted(_: Table, rng: np.random.Generator) -> Table:
        parts = []
        for k, n in enumerate(np.geomspace(3e7, 3e9, 5)):
            tokens = np.linspace(1e9, 1e11, 60)
            wiggle = 0.02 * np.cumsum(rng.standard_normal(60)) / 60**0.5
            part = {"N": n, "D": tokens, "loss": true_loss(n, tokens) * np.exp(wiggle)}
            parts.append(pd.DataFrame(part | ({"run": f"r{k}"} if named else {})))
        return pd.concat(parts, ignore_index=True)

    return planted


def swept(_: Table, rng: np.random.Generator) -> Table:
    parts = []
    for n in np.geomspace(3e7, 3e9, 4):
        for d in np.geomspace(1e9, 1e11, 4):
            lr = np.geomspace(1e-4, 1e-2, 9)
            bowl = 0.01 * np.log(lr / 1e-3) ** 2 + NOISE * rng.standard_normal(9)
            parts.append(
                pd.DataFrame({"N": n, "D": d, "lr": lr, "loss": true_loss(n, d) * np.exp(bowl)})
            )
    return pd.concat(parts, ignore_index=True)


def plateau(table: Table, rng: np.random.Generator) -> Table:
    """Large models on little data stopped learning."""
    stuck = table["D"] < 20 * table["N"] ** 0.9
    return table.assign(loss=np.where(stuck, table["loss"] * 1.05, table["loss"]))


def half_wrong(table: Table, rng: np.random.Generator) -> Table:
    values = table["loss"].to_numpy().copy()
    values[some(rng, COUNT // 2)] *= np.exp(0.15 * np.abs(rng.standard_normal(COUNT // 2)))
    return table.assign(loss=values)


def constant_ratio(table: Table, rng: np.random.Generator) -> Table:
    d = 20 * table["N"]
    return table.assign(
        D=d, loss=true_loss(table["N"], d) * np.exp(NOISE * rng.standard_normal(len(table)))
    )


def narrow(table: Table, rng: np.random.Generator) -> Table:
    d = 1e10 * np.exp(0.05 * rng.standard_normal(len(table)))
    return table.assign(
        D=d, loss=true_loss(table["N"], d) * np.exp(NOISE * rng.standard_normal(len(table)))
    )


def fresh(count: int, noise: float) -> Fault:
    return lambda _, rng: made(rng, count, noise)


def state(table: Table, rng: np.random.Generator) -> Table:
    bad = np.isin(np.arange(len(table)), some(rng, 6))
    return table.assign(
        State=np.where(bad, "crashed", "finished"),
        loss=table["loss"] * np.where(bad, 1.1, 1.0),
    )


def repeated(table: Table, rng: np.random.Generator) -> Table:
    unique = 2e9
    seen = np.minimum(table["D"], unique * (1 + 15 * (1 - np.exp(-(table["D"] / unique - 1) / 15))))
    return table.assign(loss=true_loss(table["N"], np.maximum(seen, 1.0)), U=unique)


FAULTS: dict[str, tuple[Fault, str]] = {
    "none": (lambda table, _: table, ""),
    "one N mistyped by 10": (in_rows("N", 10.0, 1), ""),
    "four N mistyped by 10": (in_rows("N", 10.0, 4), ""),
    "three N in millions": (in_rows("N", 1e-6, 3), "read in"),
    "three D in billions": (in_rows("D", 1e-9, 3), "read in"),
    "all N in millions": (everywhere("N", 1e-6), "D/N is"),
    "all D in billions": (everywhere("D", 1e-9), "D/N is"),
    "a fifth in bits": (in_rows("loss", 1 / np.log(2), COUNT // 5), ""),
    "two corpora, named, 6%": (two_corpora(True, 0.06), "column 'corpus'"),
    "two corpora, unnamed, 6%": (two_corpora(False, 0.06), ""),
    "two corpora, named, 2%": (two_corpora(True, 0.02), "column 'corpus'"),
    "checkpoints, named": (checkpoints(True), "runs only"),
    "checkpoints, unnamed": (checkpoints(False), "equal steps"),
    "a sweep of learning rates": (swept, "are a sweep"),
    "a plateau": (plateau, ""),
    "half the runs wrong": (half_wrong, ""),
    "crashed runs": (state, "crashed"),
    "repeated data": (repeated, "saw their data"),
    "constant D/N": (constant_ratio, "follows"),
    "nearly one D": (narrow, ""),
    "five runs": (fresh(5, NOISE), "there are 5 runs"),
    "eight runs": (fresh(8, NOISE), "there are 8 runs"),
    "twelve runs": (fresh(12, NOISE), ""),
    "noise of 1e-6": (fresh(COUNT, 1e-6), ""),
    "noise of 5%": (fresh(COUNT, 0.05), ""),
    "losses of 1e-6": (everywhere("loss", 1e-6), ""),
    "losses of 1e3": (everywhere("loss", 1e3), ""),
    "an accuracy": (lambda table, _: table.assign(loss=1 - table["loss"] / 8), "rises with"),
    "three runs diverged": (in_rows("loss", 1.8, 3), ""),
    "one run far below": (in_rows("loss", 0.8, 1), ""),
}


def tried(fault: Fault, sentence: str, seed: int) -> dict[str, bool]:
    """What the verdict on one table says, and whether the interval holds the truth."""
    rng = np.random.default_rng([seed, 17])
    clean = made(rng)
    table = fault(clean, rng)
    scale = 1.0
    if len(table) == len(clean) and np.allclose(table["N"], clean["N"]):
        ratios = table["loss"] / clean["loss"]
        scale = float(ratios.iloc[0]) if np.ptp(ratios) < 1e-12 else 1.0
    try:
        runs = bs.read_runs(table, on_duplicates="keep")
        post = bs.fit(runs, engine="laplace", seed=seed)
        if post.diagnosis.status == "refuse":
            post = bs.fit(runs, seed=seed)
    except bs.errors.BayescaleError:
        return {"held": False, "refused": True, "named": False, "warned": False}
    diagnosis = post.diagnosis
    asked = {"N": 10 * 10**9.5, "D": 10 * 10**11}
    truth = scale * float(true_loss(asked["N"], asked["D"]))
    draws = post.predict(**asked, noise=True, force=True).draws
    low, high = np.quantile(np.asarray(draws).ravel(), [0.025, 0.975])
    told = " ".join((*diagnosis.reasons, *diagnosis.notes))
    return {
        "held": bool(low < truth < high),
        "refused": bool(diagnosis.refusals),
        "named": bool(sentence) and sentence in told,
        "warned": bool(diagnosis.warnings),
    }


def confident_and_wrong(cell: dict[str, bool], sentence: str) -> bool:
    """Whether the truth is missed, and nothing of the verdict says so."""
    doubted = cell["refused"] or cell["named"] or (cell["warned"] and not sentence)
    return not (cell["held"] or doubted)


def main(count: int, first: int) -> None:
    """Print the table, and keep it."""
    warnings.simplefilter("ignore")
    rows, wrong = {}, {}
    print(f"{'of ' + str(count) + ' tables':28s}" + "".join(f"{one:>10s}" for one in COLUMNS))
    for name, (fault, sentence) in FAULTS.items():
        found = {seed: tried(fault, sentence, seed) for seed in range(first, first + count)}
        row = {key: sum(cell[key] for cell in found.values()) for key in COLUMNS[:-1]}
        missed = [seed for seed, cell in found.items() if confident_and_wrong(cell, sentence)]
        rows[name] = row | {COLUMNS[-1]: len(missed)}
        wrong |= {name: missed} if missed else {}
        print(f"{name:28s}" + "".join(f"{n:10d}" for n in rows[name].values()), flush=True)
    total = sum(map(len, wrong.values()))
    print(f"confident and wrong: {total} of {count * len(rows)}", wrong)
    kept = {
        "command": f"{COMMAND} {count} {first}",
        "confident and wrong": total,
        "seeds confident and wrong": wrong,
        "faults": rows,
    }
    RESULTS.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    given = [int(one) for one in sys.argv[1:]]
    main(*given, *(SEEDS, FIRST)[len(given) :])
