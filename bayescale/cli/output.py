"""What the command line prints: results on stdout, progress and warnings on stderr."""

import io
import json
import math
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import typer

from bayescale.errors import (
    BayescaleWarning,
    DiagnosticsWarning,
    Exit,
    OutputError,
    printable,
)

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1
"""Version of the JSON layout."""


def json_out(payload: dict[str, Any]) -> None:
    """Print a payload with the version of its layout."""
    _print(json.dumps({"schema_version": SCHEMA, **_finite(payload)}, indent=2, allow_nan=False))


def _finite(value: Any) -> Any:
    """Plain JSON: what is not a finite number (the R-hat of independent draws) becomes null."""
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value


def say(text: str) -> None:
    """Print a line on stderr; where nobody can be told, go on."""
    with suppress(OSError):
        typer.echo(printable(text), err=True)


def write(text: str) -> None:
    """Print a line on stdout."""
    _print(printable(text))


def bytes_out(data: bytes) -> None:
    """Write bytes, such as a picture's, on stdout as they are; see `write`."""
    _print(data)


def _print(text: str | bytes) -> None:
    """Print on stdout, bytes without a line's end.

    Raises
    ------
    typer.Exit
        With code 0, where the reader of a pipe has seen enough.
    OutputError
        If it cannot be written.
    """
    try:
        typer.echo(text, nl=isinstance(text, str))
    except BrokenPipeError:
        raise typer.Exit(Exit.DONE) from None
    except OSError as error:
        raise OutputError(
            f"the standard output cannot be written ({error.strerror or error}); redirect it to "
            "another place."
        ) from error


def untrusted(trusted: bool) -> None:
    """Print the banner of a refused posterior."""
    if not trusted:
        write("NOT TRUSTED: diagnostics refused this posterior.")


def show(table: "pd.DataFrame", *, index: bool = True) -> None:
    """Print a data frame with four significant digits."""
    frame = table.reset_index() if index else table
    cells = [[_cell(value) for value in row] for row in frame.itertuples(index=False, name=None)]
    rows([str(name) for name in frame.columns], cells)


def _cell(value: Any) -> str:
    if not isinstance(value, float | int) or isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and math.isnan(value):
        return "-"
    return f"{value:.4g}"


def rows(header: list[str], cells: list[list[str]]) -> None:
    """Print a table; columns of numbers are set to the right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for position, name in enumerate(header):
        numeric = all(_is_number(row[position]) for row in cells)
        table.add_column(
            Text(printable(name)), justify="right" if numeric else "left", overflow="fold"
        )
    for row in cells:
        table.add_row(*(Text(printable(cell)) for cell in row))
    shown, terminal = io.StringIO(), sys.stdout.isatty()
    console = Console(file=shown, force_terminal=terminal, width=None if terminal else 160)
    console.print(table)
    _print(shown.getvalue().removesuffix("\n"))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell == "-"
    return True


@contextmanager
def progress_line() -> Iterator[Callable[[str], None]]:
    """A line on stderr that says what is being done; nothing when stderr is no terminal."""
    from bayescale.progress import shown

    with shown(None, delay=0.0) as tell:
        yield tell


@contextmanager
def warnings_to_stderr() -> Iterator[None]:
    """Within this context our warnings are lines on stderr."""
    shown = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *rest: Any) -> None:
        if issubclass(category, BayescaleWarning):
            say(f"warning: {message}")
        else:
            shown(message, category, *rest)

    with warnings.catch_warnings():
        warnings.simplefilter("always", BayescaleWarning)
        # The commands print diagnostics themselves.
        warnings.simplefilter("ignore", DiagnosticsWarning)
        # What is compiled is kept where it can be, and compiled again where it cannot.
        warnings.filterwarnings("ignore", message="Error (read|writ)ing persistent compilation")
        warnings.showwarning = show
        yield
