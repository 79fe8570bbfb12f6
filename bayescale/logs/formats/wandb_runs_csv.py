"""The runs table that the W&B web page exports as CSV: one row a run."""

from collections.abc import Iterator
from pathlib import Path

from bayescale.errors import RunsError
from bayescale.logs.cell import value
from bayescale.logs.csv_rows import Rows, header
from bayescale.logs.format import AbstractFormat
from bayescale.logs.records import Records, number
from bayescale.logs.run_log import RunLog


class Format(AbstractFormat):
    """Columns Name, State, keys of the configuration and of the summary.

    The file does not say which key is which, so every number is both a setting and a metric of the
    one record at the end of the run.
    """

    title = "W&B runs table (CSV)"

    def claims(self, path: Path) -> bool:
        """By its columns Name and State."""
        return (
            path.suffix.lower() == ".csv"
            and path.is_file()
            and {"Name", "State"}.issubset(header(path))
        )

    def read(self, path: Path) -> Iterator[RunLog]:
        """The runs of a table, in the order of its rows."""
        rows = Rows(path, breaks=True)
        if not {"Name", "State"}.issubset(rows.header):
            raise RunsError(f"{path}: has no columns 'Name' and 'State', so it is no runs table.")
        runs = [
            {name: found for name, cell in row.items() if (found := value(cell)) is not None}
            for row in rows
        ]
        if not runs:
            raise RunsError(f"{path}: the runs table has no rows; export it again with the runs.")
        for at, cells in enumerate(runs, start=1):
            name, state = (cells.pop(key, None) for key in ("Name", "State"))
            records = Records(str(path))
            records.add({key: cell for key, cell in cells.items() if number(cell) is not None})
            yield RunLog(
                name=f"row {at}" if name is None else str(name),
                source=str(path),
                history=records.history(),
                config=cells,
                state=None if state is None else str(state).lower(),
                notes=tuple(rows.notes),
                identity=f"wandb_runs_csv {path.resolve()} row {at}",
            )
