"""Train the ladder of tiny language models and write its tables, `runs.csv` and `tuning.csv`.

Run as ``python datasets/tiny_lm/make.py``; needs jax, optax and rich, and about an hour on two
cores. Every finished run is kept as a small file under ``.work/``, so an interrupted program
goes on where it stopped. ``--only tune`` makes just the learning-rate sweep and shows the best
rate of each cell; the rule drawn from it is `learning_rate`.
"""

import argparse
import csv
import hashlib
import json
import math
import multiprocessing
import os
import re
import time
import tomllib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from corpus import Corpus, load_corpus
from model import CONTEXT, Run, Shape, train
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

HERE = Path(__file__).resolve().parent
SHAPES = tuple(
    Shape(*sizes)
    for sizes in (
        *((8, 2, 1), (12, 2, 1), (16, 2, 1), (24, 2, 2), (32, 2, 2)),
        *((48, 2, 2), (56, 3, 2), (80, 3, 4), (96, 4, 4), (128, 5, 4)),
    )
)
DATA_SIZES = tuple(2**k for k in range(16, 23))
BATCH = 4  # sequences per step, in every run of the table
# A cell is trained with every seed whose limit, in FLOPs, it does not exceed; the longest runs
# only below a limit of their own.
SEED_LIMITS = (1.5e13, 1e12, 5e10, 5e10)
LONGEST_LIMIT = 3e12

TUNING_RATES = tuple(2.0**k for k in range(-7, -2))
TUNING_CELLS = (  # index of the shape, log2 of the bytes, batch
    *((i, k, 4) for i in (0, 2, 4, 6) for k in (17, 19)),
    *((i, k, batch) for i in (2, 4) for k in (17, 19) for batch in (2, 8)),
    (2, 21, 4),
    (8, 18, 4),
)

# One thread per worker: models this small gain nothing from two, and two workers do.
ONE_THREAD = {
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


@dataclass(frozen=True)
class Job:
    """A run to make, the table it belongs to, and where its record goes."""

    run: Run
    table: str
    record: Path

    @property
    def identity(self) -> dict[str, Any]:
        """What a record must agree with to stand for this job."""
        return {**asdict(self.run), "table": self.table}


def learning_rate(batch: int) -> float:
    """Peak learning rate of a run: the rule drawn from `tuning.csv`.

    With hidden matrices and head scaled by width (`model.Run`), the best rate of the sweep moves
    with neither the model's size (1.6e3 to 4.4e5) nor the data's (2**17 to 2**21), but for noise;
    it grows with about the square root of the batch.

    Parameters
    ----------
    batch
        Sequences per step.

    Returns
    -------
    float
        The rate of the byte table; see `model.Run` for the other weights.
    """
    return 0.036 * math.sqrt(batch / 4)


def plan_tuning(records: Path) -> list[Job]:
    """List the runs of the learning-rate sweep.

    Parameters
    ----------
    records
        Folder of the records.

    Returns
    -------
    list[Job]
        Cheapest first.
    """
    jobs = []
    for i, k, batch in TUNING_CELLS:
        for rate in TUNING_RATES:
            name = f"tune-n{i}-d{k - 16}-b{batch}-lr{rate:.4f}"
            run = Run(name, SHAPES[i], 2**k // (batch * CONTEXT), batch, rate, seed=100)
            jobs.append(Job(run, "tuning", records / f"{name}.json"))
    return sorted(jobs, key=lambda job: job.run.cost)


def plan_ladder(records: Path) -> list[Job]:
    """List the runs of the table: every size by every data size by the seeds it can afford.

    Parameters
    ----------
    records
        Folder of the records.

    Returns
    -------
    list[Job]
        Cheapest first.
    """
    jobs = []
    for i, shape in enumerate(SHAPES):
        for k, n_bytes in enumerate(DATA_SIZES):
            for seed, limit in enumerate(SEED_LIMITS):
                name = f"n{i}-d{k}-s{seed}"
                steps = n_bytes // (BATCH * CONTEXT)
                run = Run(name, shape, steps, BATCH, learning_rate(BATCH), seed)
                longest = n_bytes == DATA_SIZES[-1]
                if run.cost <= (min(limit, LONGEST_LIMIT) if longest else limit):
                    jobs.append(Job(run, "runs", records / f"{name}.json"))
    return sorted(jobs, key=lambda job: job.run.cost)


def read_record(job: Job) -> dict[str, Any] | None:
    """Read the record of a finished job.

    Parameters
    ----------
    job
        The job.

    Returns
    -------
    dict[str, Any] or None
        The job's identity with ``loss`` and ``cpu_seconds``; None if there is no record, or one
        made with other settings.
    """
    if not job.record.exists():
        return None
    record: dict[str, Any] = json.loads(job.record.read_text())
    return record if job.identity.items() <= record.items() else None


_corpus: Corpus
_deadline: float


def _start_worker(corpus: Corpus, deadline: float) -> None:
    global _corpus, _deadline
    _corpus, _deadline = corpus, deadline


def _work(job: Job) -> tuple[Job, bool]:
    """Make one run and its record, unless the time is up; say whether it was made."""
    if time.time() > _deadline:
        return job, False
    start = time.process_time()
    held_out = _corpus.tuning if job.table == "tuning" else _corpus.held_out
    loss = train(job.run, _corpus.train, held_out)
    record = {**job.identity, "loss": loss, "cpu_seconds": time.process_time() - start}
    draft = job.record.with_suffix(".part")
    draft.write_text(json.dumps(record))
    draft.replace(job.record)
    return job, True


def make_runs(jobs: list[Job], corpus: Corpus, n_workers: int, minutes: float) -> int:
    """Make the runs that have no record yet, showing progress by FLOPs.

    Parameters
    ----------
    jobs
        All runs wanted.
    corpus
        The text.
    n_workers
        Processes, of one thread each.
    minutes
        No run is begun later than this after the start.

    Returns
    -------
    int
        Runs still missing.
    """
    missing = [job for job in jobs if read_record(job) is None]
    if not missing:
        return 0
    os.environ.update(ONE_THREAD)
    context = multiprocessing.get_context("spawn")
    began = time.time()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    left = len(missing)
    with (
        Progress(*columns, TimeElapsedColumn(), TextColumn("{task.fields[eta]}")) as progress,
        context.Pool(n_workers, _start_worker, (corpus, began + 60 * minutes)) as pool,
    ):
        task = progress.add_task(missing[0].table, total=len(missing), eta="")
        whole, done = sum(job.run.cost for job in missing), 0.0
        for job, made in pool.imap_unordered(_work, missing):
            if made:
                done, left = done + job.run.cost, left - 1
                eta = (time.time() - began) * (whole / done - 1) / 60
                line = f"{job.run.name}, about {eta:.0f} min to go at this rate"
                progress.update(task, advance=1, eta=line)
    return left


def write_table(jobs: Iterable[Job], path: Path) -> list[dict[str, Any]]:
    """Write the finished runs as a table.

    Parameters
    ----------
    jobs
        Runs wanted; those without a record are left out.
    path
        The CSV file.

    Returns
    -------
    list[dict[str, Any]]
        Its rows, sorted by size, data size and run.
    """
    rows = []
    for job in jobs:
        record, run = read_record(job), job.run
        if record is not None:
            row = {"N": run.shape.n_body, "N_total": run.shape.n_total, "D": run.n_bytes}
            row["C"] = 6 * run.shape.n_body * run.n_bytes
            row |= {"loss": record["loss"], "lr": run.lr, "batch": run.batch, "seed": run.seed}
            row |= {"run": run.name, "steps": run.steps, "d_model": run.shape.d_model}
            row |= {"n_layer": run.shape.n_layer, "flops": run.cost}
            rows.append(row | {"cpu_seconds": round(record["cpu_seconds"], 2)})
    rows.sort(key=lambda row: (row["N"], row["D"], row["batch"], row["run"]))
    if rows:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return rows


def best_rates(rows: list[dict[str, Any]]) -> Table:
    """Show the best learning rate of each cell of the sweep.

    Parameters
    ----------
    rows
        Rows of the sweep.

    Returns
    -------
    Table
        The vertex of a parabola in log rate through the best rate and its two neighbours, and
        the loss there.
    """
    table = Table("N", "D", "batch", "best lr", "loss", "rule")
    cells = sorted({(row["N"], row["D"], row["batch"]) for row in rows})
    for cell in cells:
        mine = sorted(
            (row["lr"], row["loss"]) for row in rows if (row["N"], row["D"], row["batch"]) == cell
        )
        at = min(max(int(np.argmin([loss for _, loss in mine])), 1), len(mine) - 2)
        log_rates, losses = np.array(mine[max(at - 1, 0) : at + 2]).T
        a, b, c = np.polyfit(np.log(log_rates), losses, 2)
        vertex = math.exp(-b / (2 * a))
        cells_text = (*map(str, cell), f"{vertex:.4g}", f"{c - b * b / (4 * a):.4f}")
        table.add_row(*cells_text, f"{learning_rate(cell[2]):.4g}")
    return table


def seal_card(folder: Path) -> None:
    """Write hash and length of ``runs.csv`` into ``card.toml``, if the folder has one.

    Parameters
    ----------
    folder
        Folder of both.
    """
    card = folder / "card.toml"
    if card.exists():
        table = (folder / "runs.csv").read_bytes()
        digest, rows = hashlib.sha256(table).hexdigest(), table.count(b"\n") - 1
        text = re.sub(r'(?m)^sha256 = ".*"$', f'sha256 = "{digest}"', card.read_text())
        card.write_text(re.sub(r"(?m)^rows = .*$", f"rows = {rows}", text))


def main() -> None:
    """Read the command line and make the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--jobs", type=int, default=2, help="worker processes")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of tables and records")
    parser.add_argument("--limit-minutes", type=float, default=math.inf, help="stop beginning runs")
    parser.add_argument("--only", choices=("tune", "train"), help="one of the two halves")
    parser.add_argument("--max-flops", type=float, default=math.inf, help="skip dearer runs")
    arguments = parser.parse_args()
    out: Path = arguments.out
    records = out / ".work"
    records.mkdir(parents=True, exist_ok=True)
    console = Console()

    corpus = load_corpus()
    console.print(f"Corpus: {corpus.n_files} files, {corpus.n_bytes} bytes, {corpus.sha256}")
    card = tomllib.loads((HERE / "card.toml").read_text()) if (HERE / "card.toml").exists() else {}
    if card.get("notes", {}).get("corpus_sha256", corpus.sha256) != corpus.sha256:
        console.print("This is not the text of the shipped table: another Python version?")
    began = time.time()
    plans = {"tune": (plan_tuning, "tuning.csv"), "train": (plan_ladder, "runs.csv")}
    for half, (plan, file) in plans.items():
        if arguments.only not in (None, half):
            continue
        jobs = [job for job in plan(records) if job.run.cost < arguments.max_flops]
        minutes = arguments.limit_minutes - (time.time() - began) / 60
        left = make_runs(jobs, corpus, arguments.jobs, minutes)
        rows = write_table(jobs, out / file)
        spent = sum(row["cpu_seconds"] for row in rows) / 60
        console.print(f"{file}: {len(rows)} runs, {left} missing, {spent:.1f} CPU minutes")
        if half == "tune" and rows:
            console.print(best_rates(rows))
        elif left == 0:
            seal_card(out)


if __name__ == "__main__":
    main()
