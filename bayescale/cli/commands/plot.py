"""The subcommand ``plot``: a figure of a saved posterior."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from bayescale.cli.inputs import source_of
from bayescale.cli.options import Confidence, Cost, Force, Group, NoDrift, Sources, listed
from bayescale.cli.output import bytes_out, say
from bayescale.errors import UsageError

TO_STDOUT = Path("-")

FORMATS = ("svg", "png", "pdf")


def plot(
    kind: Annotated[
        str,
        typer.Argument(help=f"What to draw: {listed('plots.figures')}.", show_default=False),
    ],
    posterior: Sources,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="File (.svg, .png or .pdf), or `-` for stdout."),
    ],
    group: Group = None,
    compute: Annotated[
        float | None,
        typer.Option(help="valley: the budget in FLOP. frontier: draw up to this one."),
    ] = None,
    target: Annotated[
        list[float] | None, typer.Option(help="target: loss to reach; repeat for several.")
    ] = None,
    confidence: Confidence = 0.9,
    budget: Annotated[
        float | None, typer.Option(help="design: FLOP for all further runs together.")
    ] = None,
    at: Annotated[
        float | None, typer.Option(help="design: the budget in FLOP that is asked about.")
    ] = None,
    single_law: Annotated[
        bool, typer.Option("--single-law", help="design: under one law of a fixed form.")
    ] = False,
    level: Annotated[
        float | None, typer.Option(help="fit: probability of the band of new runs.")
    ] = None,
    curves: Annotated[
        int | None, typer.Option(help="fit: at how many model sizes the law is drawn.")
    ] = None,
    cost: Cost = "6ND",
    seed: Annotated[
        int | None, typer.Option(help="Seed of what is random; the fit's own by default.")
    ] = None,
    no_drift: NoDrift = False,
    format: Annotated[
        str | None, typer.Option(help=f"Format on stdout: {', '.join(FORMATS)}; svg by default.")
    ] = None,
    force: Force = False,
) -> None:
    """Draw a figure of a saved posterior; what the figure needs beside is made from it."""
    from bayescale.plots.files import drawn_bytes, require_suffix, save

    suffix = f".{format or 'svg'}" if output == TO_STDOUT else output.suffix
    require_suffix(suffix, output)
    if format is not None and output != TO_STDOUT:
        raise UsageError(
            f"--format is of a figure on stdout (-o -), but '{output}' has its own suffix; leave "
            "--format out."
        )
    if output == TO_STDOUT and sys.stdout.isatty():
        raise UsageError("a figure is not written to a terminal; redirect it, or name a file.")
    given: dict[str, Any] = {
        "compute": compute,
        "target": target or None,
        "confidence": None if confidence == 0.9 else confidence,
        "budget": budget,
        "at": at,
        "single_law": single_law or None,
        "level": level,
        "curves": curves,
        "cost": None if cost == "6ND" else cost,
        "seed": seed,
        "force": force or None,
    }
    if output != TO_STDOUT:
        from bayescale.atomic_write import require_writable

        require_writable(output)
    source = source_of(posterior, group)
    from bayescale.plots.drawing import draw

    figure = draw(
        source.exact if no_drift else source,
        kind,
        **{name: value for name, value in given.items() if value is not None},
    )
    if output == TO_STDOUT:
        bytes_out(drawn_bytes(figure, suffix))
    else:
        save(figure, output)
        say(f"{output}")
