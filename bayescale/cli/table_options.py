"""The options with which every subcommand reads a table of runs, declared once.

A subcommand has a parameter ``read: Read = unread`` and the decorator `reads_table`: on the command
line the options stand in the place of ``read``, and in the function ``read(table)`` reads with
them.
"""

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayescale.cli.inputs import number, pairs, read_table
from bayescale.cli.options import MAP, Columns, Part
from bayescale.cli.output import say
from bayescale.cli.preparation import prepared
from bayescale.errors import UsageError

if TYPE_CHECKING:
    from bayescale.runs.table import Runs

type Read = Callable[[str], "Runs"]
"""From the name of a table to its runs, read as the options say."""

Units = Annotated[
    list[str] | None,
    typer.Option(
        "--unit", help="What the numbers of N, D, C or loss count in: --unit N=1e6. Repeat."
    ),
]

Separator = Annotated[
    str | None, typer.Option(help="Separator of a text, such as ';' or tab; default: its ending's.")
]

Decimal = Annotated[str | None, typer.Option(help="Decimal point or comma of a text: . or ,")]

NoGuess = Annotated[
    bool, typer.Option("--no-guess", help="Take no column or unit by the look of its name.")
]

Only = Annotated[
    list[str] | None,
    typer.Option(help="Keep the rows with that value: --only corpus=web. Repeat for more."),
]

Finals = Annotated[
    str | None, typer.Option(help="Keep the last row of each run, named by this column.")
]

MaxRows = Annotated[
    int | None, typer.Option(help="Most rows of a table that are read; default 1000000.")
]

BestOf = Annotated[
    list[str] | None,
    typer.Option(help="Keep the best of a sweep of this column at each size. Repeat for more."),
]


def _read(
    table: str,
    part: Part = None,
    column: Columns = None,
    unit: Units = None,
    separator: Separator = None,
    decimal: Decimal = None,
    no_guess: NoGuess = False,
    max_rows: MaxRows = None,
    only: Only = None,
    finals: Finals = None,
    best_of: BestOf = None,
) -> "Runs":
    units = {n: number(n, text, "unit") for n, text in pairs(unit, "unit", "N=1e6").items()}
    dialect = {"separator": separator, "decimal": decimal}
    runs = read_table(
        table,
        pairs(column, "column", MAP),
        part,
        units=units,
        dialect={name: value for name, value in dialect.items() if value is not None},
        guess=not no_guess,
        max_rows=max_rows,
    )
    kept = prepared(runs, only, finals, best_of)
    for note in kept.notes[len(runs.notes) :]:
        say(f"note: {note}")
    return kept


unread: Read = _read
"""Default of the parameter ``read``: a table read with no option."""


def require_idle(read: Read, table: str) -> None:
    """Refuse options of reading where there is no table to read.

    Raises
    ------
    UsageError
        An option was given; `table` is what was not.
    """
    if isinstance(read, functools.partial) and any(read.keywords.values()):
        raise UsageError(
            f"options that say how to read a table were given without {table}; give it, or leave "
            "them out."
        )


_OPTIONS = {n: p for n, p in inspect.signature(_read).parameters.items() if n != "table"}


def reads_table(verb: Callable[..., None]) -> Callable[..., None]:
    """The same subcommand, with the options of reading a table in the place of ``read``."""
    own = inspect.signature(verb).parameters
    parameters = [
        option
        for name, parameter in own.items()
        for option in (_OPTIONS.values() if name == "read" else (parameter,))
    ]

    @functools.wraps(verb)
    def wrapped(**given: Any) -> None:
        stated = {name: given.pop(name) for name in _OPTIONS}
        verb(read=functools.partial(_read, **stated), **given)

    wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {one.name: one.annotation for one in parameters}
    return wrapped
