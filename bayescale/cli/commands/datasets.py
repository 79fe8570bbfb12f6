"""The subcommand ``datasets``: the tables known by name."""

from bayescale.cli.options import AsJson
from bayescale.cli.output import json_out, rows


def datasets(as_json: AsJson = False) -> None:
    """List the datasets that `fit` knows by name."""
    from bayescale.runs.datasets import cards

    known = cards().values()
    if as_json:
        fields = ("name", "title", "source", "licence", "url", "sha256", "rows")
        entries = [
            {**{key: getattr(card, key) for key in fields}, "tables": list(card.tables)}
            for card in known
        ]
        json_out({"datasets": entries})
        return
    rows(
        ["dataset", "title", "tables", "licence"],
        [[c.name, c.title, str(max(1, len(c.tables))), c.licence] for c in known],
    )
