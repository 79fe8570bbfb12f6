"""The subcommand ``audit``: what a table of runs shows that its fit would not."""

from bayescale.cli.inputs import pairs, read_table
from bayescale.cli.options import MAP, AsJson, Columns, Part, Seed, Table
from bayescale.cli.output import json_out, write


def audit(
    table: Table,
    part: Part = None,
    column: Columns = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Look a table of runs over: groups, sweeps, checkpoints, units, runs that did not end."""
    from bayescale.auditing.audit import audit as look

    found = look(read_table(table, pairs(column, "column", MAP), part), seed=seed)
    if as_json:
        json_out(found.to_dict())
    else:
        write(str(found))
    found.diagnosis.require(force=False)
