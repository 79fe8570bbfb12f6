"""Train a small part of the ladder again and keep what it logs, under ``logs/``.

Run as ``python datasets/tiny_lm/logs.py``; needs jax, optax, rich and tensorboardX, and about three
minutes. Every run writes JSON lines, ``logs/jsonl/NAME.jsonl``: its settings, then a record each
sixteenth of its steps; and the same numbers as TensorBoard event files, ``logs/tensorboard/NAME/``.
One run, `KILLED`, is stopped half way, as runs are.
"""

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from corpus import load_corpus
from make import BATCH, DATA_SIZES, ONE_THREAD, SHAPES, learning_rate
from model import CONTEXT, VOCAB, Run, train
from rich.progress import track
from tensorboardX import SummaryWriter

LOGS = Path(__file__).resolve().parent / "logs"
SIZES, LENGTHS = range(5), range(5)
"""Indices of the shapes and data sizes that are logged."""

KILLED = "n4-d4-s1"
"""The run that is stopped half way."""


class Killed(Exception):
    """The run was stopped."""


def logged_runs() -> list[Run]:
    """The runs that are logged: each size with each length once, and the one that is killed."""
    cells = [(i, k, 0) for i in SIZES for k in LENGTHS] + [(SIZES[-1], LENGTHS[-1], 1)]
    return [
        Run(
            f"n{i}-d{k}-s{seed}",
            SHAPES[i],
            DATA_SIZES[k] // (BATCH * CONTEXT),
            BATCH,
            learning_rate(BATCH),
            seed,
        )
        for i, k, seed in cells
    ]


def settings(run: Run) -> dict[str, Any]:
    """Settings of a run, as its first record has them."""
    shape = asdict(run.shape) | {"n_params": run.shape.n_body, "vocab_size": VOCAB}
    length = {"steps": run.steps, "batch_size": run.batch, "sequence_length": CONTEXT}
    return {"run": run.name, "seed": run.seed, "lr": run.lr} | shape | length


def main() -> None:
    """Train and log."""
    os.environ.update(ONE_THREAD)
    corpus = load_corpus()
    shutil.rmtree(LOGS, ignore_errors=True)
    (LOGS / "jsonl").mkdir(parents=True)
    for run in track(logged_runs(), "training"):
        writer = SummaryWriter(str(LOGS / "tensorboard" / run.name), filename_suffix=".tiny_lm")
        with (LOGS / "jsonl" / f"{run.name}.jsonl").open("w", encoding="utf-8") as file:

            def log(step: int, found: dict[str, float], run: Run = run) -> None:
                if run.name == KILLED and step > run.steps / 2:
                    raise Killed
                file.write(json.dumps({"step": step, **found}) + "\n")
                for name, value in found.items():
                    writer.add_scalar(name, value, step)  # noqa: B023

            file.write(json.dumps({"config": settings(run)}) + "\n")
            writer.add_text("config", json.dumps(settings(run)), 0)
            try:
                train(run, corpus.train, corpus.held_out, log)
            except Killed:
                pass
        writer.close()
    for path in LOGS.glob("tensorboard/*/events*"):  # named by time and machine otherwise
        path.rename(path.parent / "events.out.tfevents.1700000000.tiny-lm")


if __name__ == "__main__":
    main()
