"""The subcommand ``regime``: what limits the runs of a posterior."""

from pathlib import Path
from typing import Annotated

import typer

from bayescale.cli.inputs import number, pairs, require_picture, source_of
from bayescale.cli.options import A_FILE, Group, Sources
from bayescale.cli.output import json_out, show, untrusted, write
from bayescale.cli.table_options import Read, reads_table, require_idle, unread


@reads_table
def regime(
    posterior: Sources,
    group: Group = None,
    runs: Annotated[str | None, typer.Option(help=f"Other runs to judge: {A_FILE}.")] = None,
    read: Read = unread,
    variance: Annotated[
        list[str] | None,
        typer.Option(help="Exponent of a variance-limited resource, 1 by default: N=0.5."),
    ] = None,
    negligible: Annotated[
        float, typer.Option(help="Share of the loss below which a resource is at the floor.")
    ] = 0.01,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Draw the regimes to this file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
    force: Annotated[
        bool, typer.Option(help="Go on where diagnostics refuse; the output says so.")
    ] = False,
) -> None:
    """Say what limits each run: resolution, variance, or the floor."""
    from bayescale.forms.regime import regime as find

    if runs is None:
        require_idle(read, "--runs")
    require_picture(output)
    given = pairs(variance, "variance", "N=0.5")
    exponents = {name: number(name, text, "variance") for name, text in given.items()}
    found = find(
        source_of(posterior, group),
        None if runs is None else read(runs),
        variance=exponents or 1.0,
        negligible=negligible,
        force=force,
    )
    if output is not None:
        from bayescale import plots

        plots.save(plots.regime(found), output)
    if as_json:
        json_out(found.to_dict())
        return
    untrusted(found.trusted)
    show(found.summary())
    for sentence in found.advice():
        write(sentence)
