"""Options that several subcommands share: each is declared once."""

from pathlib import Path
from typing import Annotated

import typer

from bayescale.registry import names, options

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


Force = Annotated[bool, typer.Option(help="Go on where diagnostics refuse; the output says so.")]


NoDrift = Annotated[bool, typer.Option("--no-drift", help="Take the law as exact beyond the runs.")]

Sources = Annotated[
    list[Path],
    typer.Argument(help="A posterior from `fit -o`; several laws of one table are stacked."),
]

Group = Annotated[str | None, typer.Option(help="Group, where `fit --groups` was used.")]

Compute = Annotated[list[float] | None, typer.Option(help="Budget in FLOP; repeat for several.")]

TargetLoss = Annotated[
    list[float] | None, typer.Option(help="Loss to reach instead; repeat for several.")
]

Confidence = Annotated[
    float, typer.Option(help="Probability with which a target is to be reached.")
]

Present = Annotated[
    list[str] | None,
    typer.Option(help="Compare with a plan at the budget: --present N=7e9 (and D=2e12)."),
]

Saved = Annotated[Path, typer.Argument(help="A posterior saved by `bayescale fit -o`.")]


def listed(folder: str) -> str:
    """Names of the things of a folder, for a help text."""
    return ", ".join(names(f"bayescale.{folder}"))


A_FILE = f"a file ({listed('runs.readers')}) or a dataset's name"

Table = Annotated[str, typer.Argument(help=f"Runs: {A_FILE}, or `-` for stdin.")]


Part = Annotated[
    str | None, typer.Option("--table", help="Which table of a dataset that holds several.")
]


Columns = Annotated[
    list[str] | None,
    typer.Option(help='Map a column: --column N="Model Size". Repeat for each.'),
]


def _likelihoods() -> str:
    found = options("bayescale.models.likelihoods")
    return ", ".join(f"{name}({', '.join(own)})" if own else name for name, own in found.items())


Likelihood = Annotated[
    str,
    typer.Option(
        help=f"How log loss scatters: {_likelihoods()}. Options are given as in "
        "'rounded(step=0.01)'."
    ),
]


Engine = Annotated[str, typer.Option(help=f"How to draw: {listed('engines.samplers')}.")]


Cost = Annotated[str, typer.Option(help=f"Cost model: {listed('cost.costs')}.")]


Seed = Annotated[int, typer.Option(help="Seed of everything random.")]


MAP = 'N="Model Size"'
