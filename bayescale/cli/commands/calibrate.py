"""The subcommand ``calibrate``: whether forecasts of larger runs hold."""

from pathlib import Path
from typing import Annotated

import typer

from bayescale.cli.inputs import require_picture
from bayescale.cli.options import AsJson, Likelihood, Seed, Table, listed
from bayescale.cli.output import json_out, progress_line, say, show, write
from bayescale.cli.signals import Stopped
from bayescale.cli.table_options import Read, reads_table, unread
from bayescale.models.defaults import LIKELIHOOD


@reads_table
def calibrate(
    table: Table,
    law: Annotated[
        list[str] | None,
        typer.Option(help="A law or a formula; repeat for several. Default: chinchilla and share."),
    ] = None,
    cut: Annotated[
        list[float] | None,
        typer.Option(help="Compute at which to cut; repeat. Default: five quantiles of the runs."),
    ] = None,
    likelihood: Likelihood = LIKELIHOOD,
    engine: Annotated[
        str,
        typer.Option(
            help=f"batch (all cuts at once), or cut by cut: {listed('engines.samplers')}."
        ),
    ] = "batch",
    read: Read = unread,
    seed: Seed = 0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Draw the calibration to this file.")
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(help="Folder for finished fits: the same call goes on from there."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Forecast the larger runs of a table from the smaller ones, and say whether that held."""
    from bayescale.validation.calibrate import LAWS
    from bayescale.validation.calibrate import calibrate as run_calibrate

    require_picture(output)
    runs = read(table)
    try:
        with progress_line() as progress:
            result = run_calibrate(
                runs,
                law or LAWS,
                cuts=cut,
                likelihood=likelihood,
                engine=engine,
                seed=seed,
                progress=progress,
                resume=resume,
            )
    except (KeyboardInterrupt, Stopped):
        if resume is not None:
            say(f"finished fits are in '{resume}', and the same call goes on from there.")
        raise
    if output is not None:
        from bayescale import plots

        plots.save(plots.calibration(result), output)
    if as_json:
        json_out(result.to_dict())
        return
    show(result.summary())
    for reason in result.advice():
        write(reason)
