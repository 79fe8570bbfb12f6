"""Train the students of `model.py` and write their table, `runs.csv`.

Run as ``python datasets/teacher_student/make.py``; needs jax and numpy only, and about an hour on
two cores or some minutes on a GPU. The runs of a width are trained together and then kept as a
small file under ``.work/``, so an interrupted program goes on at the width where it stopped.
``--quick`` makes a few short runs instead, to try the program; their table is no part of the data.
"""

import argparse
import csv
import hashlib
import json
import logging
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
import model

HERE = Path(__file__).resolve().parent
WIDTHS = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192)
DATA_SIZES = tuple(2**k for k in range(4, 16))
# Narrow students get stuck at different losses, and cost little: more seeds for these.
MANY_SEEDS, FEW_SEEDS, NARROW = (0, 1, 2, 3), (0, 1), 48
STEPS = 16_384
LEARNING_RATE = 0.06

log = logging.getLogger("teacher_student")


def plan(quick: bool) -> list[model.Ladder]:
    """List the ladders of the table, cheapest first.

    Parameters
    ----------
    quick
        A few short runs instead.

    Returns
    -------
    list[model.Ladder]
        One for each width.
    """
    if quick:
        return [model.Ladder(w, (0, 1), (32, 256), 200, LEARNING_RATE) for w in (2, 8)]
    return [
        model.Ladder(
            width, MANY_SEEDS if width <= NARROW else FEW_SEEDS, DATA_SIZES, STEPS, LEARNING_RATE
        )
        for width in WIDTHS
    ]


def flops(ladder: model.Ladder) -> float:
    """Training FLOPs of one run: six for each parameter, example of a batch and step."""
    return 6.0 * model.parameter_count(ladder.width) * model.BATCH * ladder.steps


def make_rows(ladder: model.Ladder, folder: Path) -> list[dict[str, Any]]:
    """Train a ladder, unless its record is there, and return its rows of the table.

    Parameters
    ----------
    ladder
        What to train.
    folder
        Where records are kept.

    Returns
    -------
    list[dict[str, Any]]
        One for each run.
    """
    record = folder / f"width{ladder.width}.json"
    identity = json.loads(json.dumps(asdict(ladder)))
    if record.exists():
        kept = json.loads(record.read_text())
        if kept["ladder"] == identity:
            return kept["rows"]
    losses, train_losses = model.train(ladder)
    rows = [
        {
            "N": model.parameter_count(ladder.width),
            "D": size,
            "loss": float(losses[i, j]),
            "train_loss": float(train_losses[i, j]),
            "width": ladder.width,
            "seed": seed,
            "run": f"w{ladder.width}-d{size}-s{seed}",
            "lr": ladder.lr,
            "batch": model.BATCH,
            "steps": ladder.steps,
            "flops": flops(ladder),
        }
        for i, seed in enumerate(ladder.seeds)
        for j, size in enumerate(ladder.sizes)
    ]
    draft = record.with_suffix(".part")
    draft.write_text(json.dumps({"ladder": identity, "rows": rows}))
    draft.replace(record)
    return rows


def write_table(rows: list[dict[str, Any]], path: Path) -> str:
    """Write the rows as a table.

    Parameters
    ----------
    rows
        Rows of all ladders.
    path
        The CSV file.

    Returns
    -------
    str
        Its SHA-256, for the card.
    """
    rows = sorted(rows, key=lambda row: (row["N"], row["D"], row["seed"]))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    """Read the command line and make the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the table and records")
    parser.add_argument("--quick", action="store_true", help="a few short runs, to try the program")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("jax").setLevel(logging.WARNING)
    if arguments.quick and arguments.out.resolve() == HERE:
        parser.error("--quick would write over the table of the project; give another --out.")

    ladders = plan(arguments.quick)
    folder = arguments.out / ".work"
    folder.mkdir(parents=True, exist_ok=True)
    device = jax.devices()[0]
    log.info("%d widths on %s", len(ladders), getattr(device, "device_kind", device.platform))
    costs = [flops(ladder) * len(ladder.seeds) * len(ladder.sizes) for ladder in ladders]
    began, rows = time.perf_counter(), []
    for at, ladder in enumerate(ladders):
        start = time.perf_counter()
        rows += make_rows(ladder, folder)
        now = time.perf_counter()
        log.info(
            "width %d: %.1f s; %.0f s so far, %.0f%% of the FLOPs",
            *(ladder.width, now - start, now - began, 100 * sum(costs[: at + 1]) / sum(costs)),
        )
    digest = write_table(rows, arguments.out / "runs.csv")
    log.info("runs.csv: rows = %d, sha256 = %s (both for card.toml)", len(rows), digest)


if __name__ == "__main__":
    main()
