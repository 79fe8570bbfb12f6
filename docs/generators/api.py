"""The reference of ``bayescale``: every public name, on the page of the folder it comes from."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import bayescale
from docs.markdown import home, page, sentence, shown, table

TITLE, UNDER = "API", "Reference"

STUB = Path(bayescale.__file__).with_suffix(".pyi")


def pages() -> dict[str, str]:
    """A page for each folder and each public module, and a list of all names."""
    rooms: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, path in sorted(public_names().items()):
        rooms[path.split(".")[1]].append((name, path))
    told = (
        "Every public name of `bayescale`, written `bs.name`. What a function takes and returns "
        "has a public name too, so that annotations can be written with it."
    )
    rows = []
    for room, found in sorted(rooms.items()):
        rows += [[f"[`bs.{n}`]({room}.md#{path})", sentence(_thing(path))] for n, path in found]
    return {
        "api/index.md": page("API", told, table(["name", "what it is"], sorted(rows))),
        **{f"api/{room}.md": _page(room, found) for room, found in sorted(rooms.items())},
    }


def _page(room: str, found: list[tuple[str, str]]) -> str:
    module = import_module(f"bayescale.{room}")
    parts = [shown(path, heading=f"bs.{name}", heading_level=2) for name, path in found]
    return page(f"`bayescale.{room}`", sentence(module), *parts)


def public_names() -> dict[str, str]:
    """Public name, such as ``plots.fit``, -> where it is defined, as a dotted path.

    The names are those of the stub, from which the package itself is made; of a public module
    also what it offers.
    """
    found = {}
    for node in ast.parse(STUB.read_text("utf-8")).body:
        assert isinstance(node, ast.ImportFrom)
        for alias in node.names:
            name = alias.asname or alias.name
            thing = getattr(bayescale, name)
            if isinstance(thing, ModuleType):
                found |= {f"{name}.{n}": path for n, path in names_of(thing)}
            elif not name.startswith("_"):
                found[name] = _home(f"bayescale.{node.module}", alias.name, thing)
    return found


def names_of(module: ModuleType) -> Iterator[tuple[str, str]]:
    """Public names of a module, and where each is defined: those that it lists, or its own."""
    own = [
        name
        for name, thing in vars(module).items()
        if not name.startswith("_") and getattr(thing, "__module__", "") == module.__name__
    ]
    for name in sorted(getattr(module, "__all__", own)):
        yield name, _home(module.__name__, name, getattr(module, name))


def _home(module: str, name: str, thing: Any) -> str:
    """Dotted path of a thing: its own where it knows it, else that of the name itself."""
    if isinstance(thing, ModuleType):
        return thing.__name__
    return home(thing) if hasattr(thing, "__qualname__") else f"{module}.{name}"


def _thing(path: str) -> Any:
    """What a dotted path names; None for a constant, whose docstring only its text holds."""
    module, _, name = path.rpartition(".")
    thing = getattr(import_module(module), name)
    return thing if hasattr(thing, "__qualname__") else None
