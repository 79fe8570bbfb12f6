"""The subcommand ``audit``: what a table of runs shows that its fit would not."""

from bayescale.cli.options import AsJson, Seed, Table
from bayescale.cli.output import json_out, write
from bayescale.cli.table_options import Read, reads_table, unread


@reads_table
def audit(
    table: Table,
    read: Read = unread,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Look a table of runs over: groups, sweeps, checkpoints, units, runs that did not end."""
    from bayescale.auditing.audit import audit as look

    found = look(read(table), seed=seed)
    if as_json:
        json_out(found.to_dict())
    else:
        write(str(found))
    found.diagnosis.require()
