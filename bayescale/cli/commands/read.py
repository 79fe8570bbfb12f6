"""The subcommand ``read``: from logs to a table of runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayescale.cli.options import AsJson, listed
from bayescale.cli.output import json_out, progress_line, say, show, write

if TYPE_CHECKING:
    from bayescale.logs.logs import Logs
    from bayescale.runs.table import Runs

HEAD = 10
"""Rows of a table that are printed."""


def read(
    paths: Annotated[
        list[str], typer.Argument(help="Files, folders or patterns such as 'runs/**/*.jsonl'.")
    ],
    loss: Annotated[str | None, typer.Option(help="Name of the metric that is the loss.")] = None,
    which: Annotated[
        str | None, typer.Option(help="Loss of a run: last, min, or mean_last with --last.")
    ] = None,
    last: Annotated[int | None, typer.Option(help="Mean of the last K records.")] = None,
    smooth: Annotated[
        float | None, typer.Option(help="Half-life in steps of an exponential average.")
    ] = None,
    size: Annotated[
        str | None, typer.Option("--N", help="Parameters: a key of the configuration or a number.")
    ] = None,
    data: Annotated[
        str | None, typer.Option("--D", help="Tokens: a key of the configuration or a number.")
    ] = None,
    compute: Annotated[
        str | None, typer.Option("--C", help="FLOP: a key of the configuration or a number.")
    ] = None,
    tokens_per_step: Annotated[float | None, typer.Option(help="Tokens of one step.")] = None,
    batch: Annotated[
        float | None, typer.Option(help="Sequences a step, over all processes.")
    ] = None,
    length: Annotated[float | None, typer.Option(help="Tokens of a sequence.")] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(help="Key of the configuration that becomes a column; repeat for each."),
    ] = None,
    any_state: Annotated[
        bool, typer.Option("--any-state", help="Also crashed, unfinished and diverged runs.")
    ] = False,
    checkpoints: Annotated[
        bool, typer.Option("--checkpoints", help="One row a record, for likelihood curves.")
    ] = False,
    format: Annotated[
        str | None,
        typer.Option(help=f"Format: {listed('logs.formats')}; by default each file says itself."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the table: .parquet (with provenance) or .csv."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read logs of training runs, and make a table of runs of them; without -o only describe."""
    from bayescale.errors import RunsError, UsageError
    from bayescale.logs.read_logs import read_logs
    from bayescale.runs.table_file import require_table, write_table

    if output is not None:
        require_table(output)
    told = {"which": which, "k": last, "smooth": smooth, "D": data, "C": compute}
    if checkpoints and (clash := [name for name, value in told.items() if value is not None]):
        option = {"k": "last"}.get(clash[0], clash[0])
        raise UsageError(f"--checkpoints takes every record, so --{option} goes without it.")
    options: dict[str, Any] = {"loss": loss, "N": size, "batch": batch, "length": length}
    options |= {"tokens_per_step": tokens_per_step, "keep": keep or ()}
    options |= {"states": "any"} if any_state else {}
    if not checkpoints:
        told["which"] = which or ("last" if last is None else "mean_last")
        options |= told
    with progress_line() as progress:
        progress("reading logs")
        logs = read_logs(paths, format=format)
    if not as_json:
        describe(logs)
    try:
        runs = logs.to_checkpoints(**options) if checkpoints else logs.to_runs(**options)
    except RunsError as error:
        if output is not None or as_json:
            raise
        say(f"no table can be made yet: {error}")
        return
    if output is not None:
        write_table(runs, output)
    if as_json:
        rows = runs.table.astype(object).where(runs.table.notna(), None).to_dict(orient="records")
        json_out({**logs.to_dict(), "table": rows, "provenance": list(runs.provenance)})
        return
    report(logs, runs, output)


def describe(logs: "Logs") -> None:
    """Print what was found: runs, metrics, notes."""
    write(str(logs))
    show(logs.runs.head(HEAD).drop(columns="source"), index=False)
    if len(logs) > HEAD:
        write(f"... {len(logs)} runs in all")
    metrics = logs.metrics
    show(metrics.head(2 * HEAD), index=False)
    if len(metrics) > 2 * HEAD:
        write(f"... {len(metrics)} metrics in all")
    for note in logs.notes[: 2 * HEAD]:
        say(f"note: {note}")
    if len(logs.notes) > 2 * HEAD:
        say(f"note: {len(logs.notes) - 2 * HEAD} further notes are in the output of --json.")


def report(logs: "Logs", runs: "Runs", output: Path | None) -> None:
    """Print a table's head and every choice in it."""
    write(f"{len(runs)} rows:" if len(runs) > HEAD else "The table:")
    show(runs.table.head(HEAD), index=False)
    for sentence in runs.provenance:
        if sentence not in logs.notes:  # which were printed before
            write(f"- {sentence}")
    if output is None:
        write("Nothing was written; pass -o runs.parquet to keep the table.")
        return
    if output.suffix.lower() == ".csv":
        say("note: a CSV does not keep how the table was made; a .parquet does.")
    write(f"Written to {output}: bayescale fit {output}")
