"""The subcommand ``design``: its options, and what it prints."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayescale.atomic_write import require_writable, write_whole
from bayescale.cli.inputs import require_picture, source_of
from bayescale.cli.options import Cost, Group, Sources
from bayescale.cli.output import json_out, say, show, untrusted
from bayescale.errors import RunsError

if TYPE_CHECKING:
    from bayescale.designing.design import Design


def design(
    posterior: Sources,
    budget: Annotated[float, typer.Option(help="FLOP for all new runs together.")],
    at: Annotated[float, typer.Option(help="Budget in FLOP whose optimum is asked about.")],
    group: Group = None,
    max_cost: Annotated[
        float | None, typer.Option(help="Most FLOP of one run; a tenth of the budget by default.")
    ] = None,
    max_runs: Annotated[int, typer.Option(help="Most runs.")] = 40,
    candidates: Annotated[
        Path | None,
        typer.Option(help="CSV of the only runs allowed: N, D and, if it differs, cost."),
    ] = None,
    running: Annotated[
        Path | None,
        typer.Option(
            help="CSV of jobs under way: N, D and remaining, the share still to be spent."
        ),
    ] = None,
    ratio_min: Annotated[float, typer.Option(help="Fewest tokens a parameter.")] = 0.5,
    ratio_max: Annotated[float, typer.Option(help="Most tokens a parameter.")] = 700.0,
    n_max: Annotated[float | None, typer.Option("--n-max", help="Most parameters.")] = None,
    d_max: Annotated[float | None, typer.Option("--d-max", help="Most tokens.")] = None,
    cost: Cost = "6ND",
    repeats: Annotated[bool, typer.Option(help="Allow one kind of run more than once.")] = True,
    single_law: Annotated[
        bool, typer.Option("--single-law", help="Trust one law of a fixed form.")
    ] = False,
    seed: Annotated[int | None, typer.Option(help="Seed; that of the fit by default.")] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the runs (.csv), or draw them to this file."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
    force: Annotated[
        bool, typer.Option(help="Go on where diagnostics refuse; the output says so.")
    ] = False,
) -> None:
    """Choose the runs that tell most of the optimum at a larger budget."""
    from bayescale.designing.design import design as run_design

    as_table = output is not None and output.suffix.lower() == ".csv"
    if output is not None and as_table:
        require_writable(output)
    else:
        require_picture(output)
    caps: dict[str, Any] = {"N_max": n_max, "D_max": d_max}
    source = source_of(posterior, group)
    found = run_design(
        source,
        budget,
        at,
        cost=cost,
        candidates=None if candidates is None else _read(candidates, "candidates"),
        running=None if running is None else _read(running, "running"),
        max_cost=max_cost,
        max_runs=max_runs,
        ratios=(ratio_min, ratio_max),
        repeats=repeats,
        single_law=single_law,
        seed=seed,
        force=force,
        **{name: cap for name, cap in caps.items() if cap is not None},
    )
    if output is not None and as_table:
        write_whole(output, found.runs().to_csv(index=False).encode())
    elif output is not None:
        from bayescale import plots

        plots.save(plots.design(found, source.runs), output)
    for reason in found.diagnosis.warnings:
        say(f"warning: {reason}")
    if as_json:
        json_out(found.to_dict())
        return
    untrusted(found.trusted)
    _print(found)


def _print(found: "Design") -> None:
    show(found.table)
    show(found.summary())
    if found.running is not None:
        show(found.running)
    say(found.worth.sentence(found.at))


def _read(path: Path, option: str) -> Any:
    """A small table of numbers.

    Raises
    ------
    RunsError
        If it cannot be read.
    """
    import pandas as pd

    try:
        return pd.read_csv(path)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise RunsError(
            f"--{option} '{path}' cannot be read as a table: {error}; give a CSV file with a "
            "header."
        ) from None
