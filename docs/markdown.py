"""Markdown in small pieces: tables, code, links, and the objects whose docstring is shown."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def page(title: str, *parts: str) -> str:
    """A title and the parts that are not empty, a blank line between each."""
    return "\n\n".join([f"# {title}", *(part.strip() for part in parts if part.strip())]) + "\n"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; bars and line breaks in its cells are escaped. Nothing where there are no rows."""
    lines = [f"| {' | '.join(cell(one) for one in row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(header)} |", "|" + "---|" * len(header), *lines])


def cell(value: object) -> str:
    """Text of a cell in one line."""
    return " ".join(str(value).split()).replace("|", "\\|")


def code(text: str, language: str = "python") -> str:
    """A fenced block."""
    return f"```{language}\n{text.strip()}\n```"


def sentence(thing: Any) -> str:
    """The first paragraph of a docstring, in one line."""
    return " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split())


def rest(thing: Any) -> str:
    """What a docstring says after its first paragraph, before its sections."""
    paragraphs = (inspect.getdoc(thing) or "").split("\n\n")[1:]
    told = []
    for one in paragraphs:
        if "\n---" in one:
            break
        told.append(one)
    return "\n\n".join(told)


def shown(path: str, **options: object) -> str:
    """The place where the docstring of an object is put in; `path` is where it is defined."""
    lines = [f"::: {path}"]
    if options:
        lines.append("    options:")
        lines += [f"      {name}: {_yaml(value)}" for name, value in options.items()]
    return "\n".join(lines)


def index(
    title: str, told: str, header: Sequence[str], entries: Mapping[str, Sequence[object]]
) -> str:
    """A page that links to others beside it, by the name of each."""
    rows = [[f"[`{name}`]({name}.md)", *others] for name, others in entries.items()]
    return page(title, told, table(header, rows))


def home(thing: Any) -> str:
    """Where a class or function is defined, as a dotted path."""
    return f"{thing.__module__}.{thing.__qualname__}"


def _yaml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
