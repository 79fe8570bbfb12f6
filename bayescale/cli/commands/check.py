"""The subcommand ``check``: whether a law is admissible."""

from typing import Annotated

import typer

from bayescale.cli.options import AsJson
from bayescale.cli.output import json_out, say, write
from bayescale.errors import Exit


def check(
    law: Annotated[str, typer.Argument(help='A law: a name, or "E + A*N**-alpha + B*D**-beta".')],
    resource: Annotated[
        list[str] | None,
        typer.Option(help="In a formula: a further name that is a resource. Repeat for each."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a law against the scaling equation; what it claims must not be refuted."""
    from bayescale.forms.conditions import check as run_check

    result = run_check(law, resources=["N", "D", "C", *resource] if resource else None)
    if as_json:
        json_out(result.to_dict())
    else:
        write(str(result))
    if result.broken:
        codes = ", ".join(verdict.code for verdict in result.broken)
        say(f"refuted although claimed: {codes}.")
        raise typer.Exit(Exit.REFUTED)
