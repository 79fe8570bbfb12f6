"""A chart that the W&B web page exports as CSV: a column a run."""

import re
from collections.abc import Iterator
from pathlib import Path

from bayescale.errors import RunsError
from bayescale.logs.cell import measured
from bayescale.logs.csv_rows import Rows, header
from bayescale.logs.format import AbstractFormat
from bayescale.logs.keys import STEPS, plain
from bayescale.logs.records import Records
from bayescale.logs.run_log import RunLog

_COLUMN = re.compile(r"(?s)(?P<run>.+) - (?P<metric>.+?)(?P<bound>__(?:MIN|MAX))?")


class Format(AbstractFormat):
    """An axis, then columns ``<run name> - <metric>``, each with its ``__MIN`` and ``__MAX``."""

    title = "W&B chart (CSV)"

    def claims(self, path: Path) -> bool:
        """By the names of all columns but the first."""
        if path.suffix.lower() != ".csv" or not path.is_file():
            return False
        columns = header(path)
        return len(columns) > 1 and all(_COLUMN.fullmatch(name) for name in columns[1:])

    def read(self, path: Path) -> Iterator[RunLog]:
        """The runs of a chart; a run has the rows in which one of its columns is not empty."""
        rows = Rows(path)
        found = {name: _COLUMN.fullmatch(name) for name in rows.header[1:]}
        columns = {
            name: (one["run"], one["metric"], one["bound"]) for name, one in found.items() if one
        }
        if len(rows.header) < 2 or len(columns) < len(found):
            raise RunsError(f"{path}: the columns are not '<run> - <metric>', so it is no chart.")
        axis = rows.header[0]
        step = plain(axis) in {plain(name) for name in STEPS}
        runs: dict[str, Records] = {}
        averaged: set[str] = set()
        for row in rows:
            at = measured(row[axis])
            points: dict[str, dict[str, float]] = {}
            for name, (run, metric, bound) in columns.items():
                cell = measured(row[name])
                if cell is None:
                    continue
                if bound is None:
                    points.setdefault(run, {})[metric] = cell
                elif points.get(run, {}).get(metric, cell) != cell:
                    averaged.add(f"{run} - {metric}")
            for run, point in points.items():
                axes = {} if at is None else {"_step" if step else axis: at}
                runs.setdefault(run, Records(str(path))).add(axes | point)
        if not runs:
            raise RunsError(f"{path}: the chart has no numbers; export it again with the runs.")
        notes = [
            *rows.notes,
            f"{path}: a chart of W&B holds a sample of the points of long runs; export the history "
            "for all.",
        ]
        if averaged:
            notes.append(
                f"{path}: {len(averaged)} columns are averages, as their __MIN and __MAX differ "
                f"from them ('{min(averaged)}'), so steps or runs are pooled."
            )
        for run, records in runs.items():
            yield RunLog(
                name=run,
                source=str(path),
                history=records.history(),
                notes=tuple(notes),
                identity=f"wandb_chart_csv {path.resolve().parent} {run}",
            )
