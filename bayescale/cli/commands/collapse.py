"""The subcommand ``collapse``: what a table says of the form of its law."""

from pathlib import Path
from typing import Annotated

import typer

from bayescale.cli.inputs import require_picture
from bayescale.cli.options import AsJson, Seed, Table
from bayescale.cli.output import json_out, progress_line, show, write
from bayescale.cli.table_options import Read, reads_table, unread


@reads_table
def collapse(
    table: Table,
    read: Read = unread,
    seed: Seed = 0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Draw the collapse to this file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a table knows of the form of its law: which forms it excludes, and by how much."""
    from bayescale.forms.collapse import collapse as run_collapse

    require_picture(output)
    runs = read(table)
    with progress_line() as progress:
        result = run_collapse(runs, seed=seed, progress=progress)
    if output is not None:
        from bayescale import plots

        plots.save(plots.collapse(result), output)
    if as_json:
        json_out(result.to_dict())
        return
    show(result.summary())
    for reason in result.advice():
        write(reason)
