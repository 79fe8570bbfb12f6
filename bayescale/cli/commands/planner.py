"""The subcommand ``planner``: a page whose sliders plan, without a server."""

import warnings
from pathlib import Path
from typing import Annotated

import typer

from bayescale.cli.inputs import source_of
from bayescale.cli.options import Force, Group, NoDrift, Sources
from bayescale.cli.output import write
from bayescale.errors import DiagnosticsWarning


def planner(
    posterior: Sources,
    group: Group = None,
    compute: Annotated[
        float | None, typer.Option(help="Budget in FLOP that the sliders begin with.")
    ] = None,
    draws: Annotated[int, typer.Option(help="Most draws in the page.")] = 500,
    no_drift: NoDrift = False,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where the page is written.")
    ] = Path("planner.html"),
    force: Force = False,
) -> None:
    """Write one HTML page with sliders for budget, target, serving, unique tokens and price."""
    from bayescale.planning.plan import plan
    from bayescale.reporting.page import require_page
    from bayescale.reporting.planner import planner as write_planner

    require_page(output)
    source = source_of(posterior, group)
    if no_drift:
        source = source.exact
    warnings.simplefilter("ignore", DiagnosticsWarning)  # the page says them
    made = None if compute is None else plan(source, compute=compute, force=force)
    write(f"{write_planner(source, made, output, draws=draws, force=force)}")
