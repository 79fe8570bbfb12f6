"""The reference of ``theory``: a page for each public module."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

import theory
from docs.generators.api import names_of
from docs.markdown import page, rest, sentence, shown, table

TITLE, UNDER = "API of theory", "Theory"

BESIDE = ("errors", "laws", "optimum")
"""Modules that stand beside the folders; those within folders, `theory` itself offers."""


def pages() -> dict[str, str]:
    """A page for each public module, and their list."""
    modules = dict(sorted(public_modules()))
    rows = [[f"[`theory.{n}`]({n}.md)", sentence(module)] for n, module in modules.items()]
    told = (
        "Mathematics only: SymPy, JAX and NumPy, nothing of `bayescale`. Modules are imported as "
        "`from theory import laws, scaling`."
    )
    return {
        "theory/index.md": page("API of theory", told, table(["module", "what it is"], rows)),
        **{f"theory/{name}.md": _page(name, module) for name, module in modules.items()},
    }


def public_modules() -> Iterator[tuple[str, ModuleType]]:
    """Modules that `theory` offers, by the name by which it offers them."""
    for name in {*dir(theory), *BESIDE}:
        if name in BESIDE or name not in vars(theory):
            yield name, import_module(f"theory.{name}") if name in BESIDE else getattr(theory, name)


def documented(module: ModuleType) -> dict[str, str]:
    """Public names of a module -> where they are defined; of a bare folder those of its files."""
    found = {name: path for name, path in names_of(module) if "." in path}
    if not found and hasattr(module, "__path__"):
        for one in iter_modules(module.__path__):
            inner = import_module(f"{module.__name__}.{one.name}")
            found |= {f"{one.name}.{name}": path for name, path in names_of(inner)}
    return found


def _page(name: str, module: ModuleType) -> str:
    found = documented(module)
    parts = [shown(path, heading=inner, heading_level=2) for inner, path in found.items()]
    return page(f"`theory.{name}`", sentence(module), rest(module), *parts)
