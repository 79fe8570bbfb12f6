"""Small logs as each text format writes them, from one set of runs."""

import csv
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

REFERENCE = Path(__file__).resolve().parents[2] / "reference" / "logs"

Run = tuple[str, dict[str, Any], list[dict[str, Any]]]
"""Name, configuration, records."""


def small_runs(runs: int = 4, steps: int = 20) -> list[Run]:
    """Runs of growing width; training loss at every step, evaluation at every fifth."""
    made = []
    for number in range(runs):
        config = {"n_layer": 2, "n_embd": 64 * (number + 1), "n_head": 2, "batch_size": 8}
        config |= {"seq_len": 128}
        rows: list[dict[str, Any]] = []
        for step in range(1, steps + 1):
            value = 3 - 0.2 * number + 4 / step + 1e-3 * math.sin(step)
            rows.append({"step": step, "train/loss": value, "lr": 1e-3 * (1 - step / steps)})
            if step % 5 == 0:
                rows.append({"step": step, "val/loss": value + 0.1})
        made.append((f"run-{number}", config, rows))
    return made


def json_lines(folder: Path, runs: list[Run]) -> None:
    for name, config, rows in runs:
        lines = [json.dumps({"config": config}), *map(json.dumps, rows)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")


def trainer_state(folder: Path, runs: list[Run]) -> None:
    for name, config, rows in runs:
        below = folder / name
        below.mkdir()
        last = rows[-1]["step"]
        state = {"global_step": last, "log_history": rows, "max_steps": last}
        (below / "trainer_state.json").write_text(json.dumps(state, indent=2), "utf-8")
        (below / "config.json").write_text(json.dumps(config), "utf-8")


def lightning(folder: Path, runs: list[Run]) -> None:
    for name, config, rows in runs:
        below = folder / name
        below.mkdir()
        (below / "metrics.csv").write_text(table(rows), "utf-8")
        lines = "".join(f"{key}: {value}\n" for key, value in config.items())
        (below / "hparams.yaml").write_text(lines, "utf-8")


def step_table(folder: Path, runs: list[Run]) -> None:
    rows = [{"run": name, **config, **row} for name, config, rows in runs for row in rows]
    names = list(dict.fromkeys(key for row in rows for key in row))
    columns = {name: [row.get(name) for row in rows] for name in names}
    pyarrow.parquet.write_table(pa.table(columns), folder / "steps.parquet")


def wandb_runs_csv(folder: Path, runs: list[Run]) -> None:
    rows = []
    for name, config, records in runs:
        end = {key: value for record in records for key, value in record.items() if key != "step"}
        rows.append(
            {"Name": name, "State": "finished", **config, **end, "_step": records[-1]["step"]}
        )
    (folder / "runs.csv").write_text(table(rows), "utf-8")


def wandb_chart_csv(folder: Path, runs: list[Run]) -> None:
    """One chart a metric, as the web page exports them."""
    for metric in ("train/loss", "val/loss", "lr"):
        rows: dict[int, dict[str, Any]] = {}
        for name, _, records in runs:
            for record in records:
                if metric in record:
                    cells = rows.setdefault(record["step"], {"Step": record["step"]})
                    for ending in ("", "__MIN", "__MAX"):
                        cells[f"{name} - {metric}{ending}"] = record[metric]
        (folder / f"{metric.replace('/', '_')}.csv").write_text(table([*rows.values()]), "utf-8")


def table(rows: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(key for row in rows for key in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


WRITERS: dict[str, Callable[[Path, list[Run]], None]] = {
    one.__name__: one
    for one in (
        json_lines,
        trainer_state,
        lightning,
        step_table,
        wandb_runs_csv,
        wandb_chart_csv,
    )
}
