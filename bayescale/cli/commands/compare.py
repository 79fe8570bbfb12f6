"""The subcommand ``compare``: which of several laws predicts better."""

import warnings
from pathlib import Path
from typing import Annotated

import typer

from bayescale.cli.inputs import load_named
from bayescale.cli.options import AsJson, Force
from bayescale.cli.output import json_out, show, untrusted, write
from bayescale.errors import DiagnosticsWarning


def compare(
    posteriors: Annotated[
        list[Path], typer.Argument(help="Two or more posteriors of one table, from `fit -o`.")
    ],
    by: Annotated[
        str,
        typer.Option(help="lfo (leave the larger runs out; refits) or loo (leave one run out)."),
    ] = "lfo",
    as_json: AsJson = False,
    force: Force = False,
) -> None:
    """Say which of several saved posteriors predicts runs better that it has not seen."""
    from bayescale.validation.compare import compare as run_compare

    named = load_named(posteriors)
    warnings.simplefilter("always", DiagnosticsWarning)  # no other output says them
    result = run_compare(named, by=by, force=force)
    trusted = not any(posterior.diagnosis.refusals for posterior in named.values())
    if as_json:
        entries = result.reset_index().to_dict(orient="records")
        json_out(
            {
                "by": by,
                "posteriors": entries,
                "question": result.attrs["question"],
                "trusted": trusted,
            }
        )
        return
    untrusted(trusted)
    show(result)
    write(result.attrs["question"])
