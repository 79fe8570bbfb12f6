"""The subcommand ``demo``: fit the ladder of models that the project ships."""

from pathlib import Path
from typing import Annotated

import typer

from bayescale.cli.options import Seed
from bayescale.cli.output import progress_line, show, write


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the plots and the posterior.")] = Path(
        "bayescale-demo"
    ),
    seed: Seed = 0,
) -> None:
    """Fit the shipped ladder of small language models and plan beyond it."""
    from bayescale.cli.demonstration import run

    run(out, seed=seed, progress=progress_line, show=show, say=write)
