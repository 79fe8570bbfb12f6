"""The subcommand ``datasets``: the tables known by name, and the card of one."""

import shlex
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayescale.cli.options import AsJson
from bayescale.cli.output import json_out, rows, write

if TYPE_CHECKING:
    from bayescale.runs.datasets import Card

_TABLES_SHOWN = 40


def datasets(
    name: Annotated[
        str | None, typer.Argument(help="A dataset, whose card is printed; default: list all.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the datasets that `fit` knows by name, or print the card of one."""
    from bayescale.runs.datasets import card_of, cards

    if name is not None:
        card = card_of(name)
        if as_json:
            json_out(_fields(card) | {"columns": card.columns, "map": card.map})
        else:
            _print(card)
        return
    known = cards().values()
    if as_json:
        json_out({"datasets": [_fields(card) for card in known]})
        return
    rows(
        ["dataset", "title", "tables", "licence"],
        [[c.name, c.title, str(max(1, len(c.tables))), c.licence] for c in known],
    )


def _fields(card: "Card") -> dict[str, Any]:
    fields = ("name", "title", "description", "source", "citation", "licence", "url", "sha256")
    return {key: getattr(card, key) for key in (*fields, "rows", "notes")} | {
        "tables": list(card.tables),
        "default": card.default,
    }


def _print(card: "Card") -> None:
    write(f"{card.name}: {card.title}")
    write(card.description)
    for called in ("source", "citation", "licence", "conversion", "rows"):
        if (value := getattr(card, called)) is not None:
            write(f"{called}: {value}")
    for topic, note in card.notes.items():
        write(f"{topic}: {note}")
    if card.columns:
        described = [
            [column, str(one.get("meaning", "")), str(one.get("unit", ""))]
            for column, one in card.columns.items()
        ]
        rows(["column", "meaning", "unit"], described)
    if card.map:
        write("used as: " + ", ".join(f"{ours} = '{theirs}'" for ours, theirs in card.map.items()))
    if card.holds != "runs":
        write("load: bs.published_fits()")
        return
    table = card.default or next(iter(card.tables), None)
    if card.tables:
        shown = [*card.tables][:_TABLES_SHOWN]
        more = "" if len(shown) == len(card.tables) else "; all of them: --json"
        write(f"tables ({len(card.tables)}): {', '.join(shown)}{more}")
        write(f"without a choice: {card.default}" if card.default else "one must be chosen")
    option, argument = ("", "") if table is None else (f" --table {shlex.quote(table)}", table)
    argument = f", table={argument!r}" if argument else ""
    write(f"load: bs.load({card.name!r}{argument}), or bayescale fit {card.name}{option}")
