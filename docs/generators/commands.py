"""A page for each subcommand: usage, arguments, options, from the command line itself."""

from collections.abc import Iterator
from typing import Any

from typer.cli import get_docs_for_click
from typer.main import get_command

from bayescale.cli.app import app
from bayescale.errors import Exit
from docs.markdown import index

TITLE, UNDER = "Commands", "Reference"


def pages() -> dict[str, str]:
    """One page a subcommand, those of groups included, and their list."""
    told = (
        "Every command prints JSON with `--json`; progress and warnings go to stderr. "
        f"{Exit.sentence()} With 6 and 7 the answer is printed all the same, and `--force` goes on "
        "where diagnostics refuse and marks the result."
    )
    known = dict(subcommands())
    entries = {name.replace(" ", "-"): [one.help] for name, one in known.items()}
    listed = index("Commands", told, ["command", "what it does"], entries)
    return {
        "commands/index.md": listed,
        **{
            f"commands/{name.replace(' ', '-')}.md": _page(name, one) for name, one in known.items()
        },
    }


def subcommands(group: Any = None, before: str = "") -> Iterator[tuple[str, Any]]:
    """Subcommands with their names, as in ``simulate dmft``; a group gives those that it holds."""
    group = group or get_command(app)
    for name, one in group.commands.items():
        if hasattr(one, "commands"):
            yield from subcommands(one, f"{before}{name} ")
        else:
            yield f"{before}{name}", one


def _page(name: str, one: Any) -> str:
    before, _, last = f"bayescale {name}".rpartition(" ")
    context = one.context_class(one, info_name=f"{before} {last}")
    return get_docs_for_click(obj=one, ctx=context, name=last, call_prefix=before)
