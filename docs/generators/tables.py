"""One page on what a table of runs is read from: formats of logs, of tables, shipped datasets."""

from importlib import import_module

import bayescale as bs
from bayescale.auditing.checks import CHECKS
from bayescale.registry import names
from docs.markdown import page, sentence, table

TITLE, UNDER = "What is read", "Reference"


def pages() -> dict[str, str]:
    """The one page."""
    return {
        "tables.md": page(
            "What is read",
            "## Formats of logs",
            "`bayescale read PATHS` and `bs.read_logs(paths)` recognise each file by its content; "
            "nothing is evaluated or unpickled, and a damaged file keeps what is whole.",
            _listed("bayescale.logs.formats"),
            "## Formats of tables",
            "One row a run: `bayescale fit FILE` and `bs.read_runs(path)`; a data frame of any "
            "library is read too.",
            _listed("bayescale.runs.readers"),
            "## Checks of the audit",
            "`bayescale audit TABLE` and `bs.audit(runs)` look for what a fit would not show. What "
            "is found is told in [How to read the gate](gate.md).",
            table(
                ["check", "what it looks for"],
                [
                    [f"`{name}`", sentence(import_module(type(CHECKS[name]).__module__))]
                    for name in CHECKS
                ],
            ),
            "## Datasets",
            "`bs.load(NAME)` and `bayescale fit NAME`; `bayescale datasets NAME` shows the card. "
            "Those that are not shipped are fetched once, and checked against their checksum.",
            table(
                ["name", "what it holds", "source"],
                [[f"`{name}`", one["title"], one["source"]] for name, one in _datasets()],
            ),
        )
    }


def _listed(folder: str) -> str:
    rows = [[f"`{one}`", sentence(import_module(f"{folder}.{one}"))] for one in names(folder)]
    return table(["format", "what it is"], rows)


def _datasets() -> list:
    return [*bs.datasets().to_dict(orient="index").items()]
