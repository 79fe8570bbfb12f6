"""The subcommand ``laws``: the catalogue."""

from bayescale.cli.options import AsJson
from bayescale.cli.output import json_out, rows


def laws(as_json: AsJson = False) -> None:
    """List the laws of the catalogue."""
    from theory import laws as catalogue

    known = catalogue.catalogue().values()
    if as_json:
        entries = [
            {
                "name": law.name,
                "title": law.title,
                "formula": law.formula_text(),
                "latex": law.latex(),
                "resources": [r.name for r in law.resources],
                "parameters": {
                    p.name: {"meaning": p.meaning, "unit": p.unit, "role": str(p.role)}
                    for p in law.parameters
                },
                "weights": law.weights and {r.name: str(w) for r, w in law.weights.items()},
                "claims": list(law.claims),
                "contained_in": list(law.nests),
                "source": law.source,
                "verified": law.verified,
            }
            for law in known
        ]
        json_out({"laws": entries})
        return
    rows(
        ["law", "what it is", "in", "loss", "source"],
        [
            [
                law.name,
                law.title,
                " ".join(r.name for r in law.resources),
                law.formula_text(),
                law.source + ("" if law.verified else " (not checked against the source)"),
            ]
            for law in known
        ],
    )
