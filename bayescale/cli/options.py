"""Options that several subcommands share: each is declared once."""

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


Force = Annotated[bool, typer.Option(help="Go on where diagnostics refuse; the output says so.")]


Saved = Annotated[Path, typer.Argument(help="A posterior saved by `bayescale fit -o`.")]


Table = Annotated[
    str, typer.Argument(help="CSV or Parquet file, `-` for stdin, or a dataset's name.")
]


Part = Annotated[
    str | None, typer.Option("--table", help="Which table of a dataset that holds several.")
]


Columns = Annotated[
    list[str] | None,
    typer.Option(help='Map a column: --column N="Model Size". Repeat for each.'),
]


Likelihood = Annotated[
    str,
    typer.Option(
        help="studentt (robust), normal, heteroscedastic, measured, contaminated, rounded, "
        "replicates, shared, curves or smooth_curves; options in parentheses, as in "
        "'rounded(step=0.01)'."
    ),
]


Seed = Annotated[int, typer.Option(help="Seed of everything random.")]


MAP = 'N="Model Size"'
