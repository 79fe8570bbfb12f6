"""``metrics.csv`` of Lightning's CSVLogger: sparse rows, the hyperparameters beside them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from bayescale.errors import RunsError
from bayescale.logs.cell import measured, value
from bayescale.logs.csv_rows import Rows, header
from bayescale.logs.format import AbstractFormat
from bayescale.logs.json_file import LARGEST
from bayescale.logs.records import Records
from bayescale.logs.run_log import RunLog

HYPERPARAMETERS = "hparams.yaml"


class Format(AbstractFormat):
    """One folder a run, ``version_0``, holding ``metrics.csv`` and ``hparams.yaml``."""

    title = "Lightning metrics.csv"
    companions: ClassVar[tuple[str, ...]] = (HYPERPARAMETERS,)

    def claims(self, path: Path) -> bool:
        """By its name, and a column ``step``."""
        return path.name == "metrics.csv" and path.is_file() and "step" in header(path)

    def read(self, path: Path) -> Iterator[RunLog]:
        """The run of a file; lines that are damaged are left out and named."""
        rows, records = Rows(path), Records(str(path))
        if "step" not in rows.header:
            raise RunsError(f"{path}: has no column 'step', so it is no log of Lightning.")
        words: set[str] = set()
        for row in rows:
            cells = {name: measured(cell) for name, cell in row.items()}
            words |= {name for name, cell in row.items() if cell.strip() and cells[name] is None}
            records.add({name: cell for name, cell in cells.items() if cell is not None})
        if words:
            shown = ", ".join(repr(name) for name in sorted(words)[:5])
            rows.notes.append(f"{path}: cells of column {shown} that are no numbers were left out.")
        config, notes = hyperparameters(path.with_name(HYPERPARAMETERS))
        folder = path.resolve().parent
        version = folder.name.startswith("version_") and folder.parent.name
        yield RunLog(
            name=f"{version}/{folder.name}" if version else folder.name,
            source=str(path),
            history=records.history(),
            config=config,
            notes=(*rows.notes, *notes),
            identity=f"lightning {folder}",
        )


def hyperparameters(path: Path) -> tuple[dict[str, Any], list[str]]:
    """The lines ``key: value`` of a YAML file, nested by indentation; no other YAML is read.

    Parameters
    ----------
    path
        The file; where there is none, there is nothing.

    Returns
    -------
    dict, list of str
        Values by their keys joined by dots, and a sentence on lines that are not of that form.
    """
    found: dict[str, Any] = {}
    if not path.is_file():
        return found, []
    try:
        if path.stat().st_size > LARGEST:
            return found, [f"{path}: is too large for hyperparameters and was not read."]
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        return found, [f"{path}: is no text that can be read, so the run has no hyperparameters."]
    above: list[tuple[int, str]] = []
    skipped = 0
    for line in lines:
        text = line.split(" #")[0].rstrip()
        if not text.strip() or text.lstrip().startswith("#") or text == "---":
            continue
        indent = len(text) - len(text.lstrip())
        key, colon, cell = text.strip().partition(":")
        above = [one for one in above if one[0] < indent]
        odd = key.startswith(("-", "!", "&", "*", "{", "[", "?", '"', "'")) or "\t" in line
        if odd or not colon or (cell and not cell.startswith(" ")) or (indent and not above):
            skipped += 1
            continue
        name = ".".join([*(one[1] for one in above), key.strip()])
        cell = cell.strip()
        if not cell:
            above.append((indent, key.strip()))
        elif cell in ("null", "~"):
            continue
        elif cell[0] in "!&*{[|>%@`":
            skipped += 1
            above.append((indent, key.strip()))
        elif cell[0] in "'\"":
            found[name] = cell[1:-1] if len(cell) > 1 and cell[-1] == cell[0] else cell
        else:
            found[name] = value(cell)
    if not skipped:
        return found, []
    return found, [
        f"{path}: {skipped} line{'s' if skipped > 1 else ''} not of the form 'key: value' "
        f"{'were' if skipped > 1 else 'was'} left out."
    ]
