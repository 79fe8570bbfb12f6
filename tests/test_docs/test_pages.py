"""Whatever is in a registry, and every public name, has a page; nothing is typed here."""

import re
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import bayescale as bs
import theory
from bayescale import registry
from bayescale.errors import Exit
from bayescale.plots import FIGURES
from theory import laws

REPOSITORY = Path(__file__).resolve().parents[2]

MOST_WORDS, MOST_FIGURES = 1000, 5


def subcommands(folder: str = "bayescale.cli.commands", before: str = "") -> list[str]:
    found = []
    for name in registry.names(folder):
        inner = f"{folder}.{name}"
        is_group = hasattr(import_module(inner), "__path__")
        found += subcommands(inner, f"{name}-") if is_group else [before + name]
    return found


KINDS: dict[str, list[str]] = {
    "laws": [*laws.catalogue()],
    "likelihoods": [*bs.likelihoods.LIKELIHOODS],
    "engines": [*bs.engines.ENGINES],
    "costs": [*bs.cost.COSTS],
    "objectives": [*bs.objectives.OBJECTIVES],
    "plots": [*FIGURES],
    "commands": subcommands(),
}
"""Folder of pages -> what must have one."""


def members(module: ModuleType) -> list[str]:
    own = [
        name
        for name, thing in vars(module).items()
        if not name.startswith("_") and getattr(thing, "__module__", "") == module.__name__
    ]
    return [*getattr(module, "__all__", own)]


def public_names() -> list[str]:
    found = []
    for name in (name for name in dir(bs) if not name.startswith("_")):
        thing = getattr(bs, name)
        inner = members(thing) if isinstance(thing, ModuleType) else []
        found += [f"{name}.{one}" for one in inner] if inner else [name]
    return found


def resolved(path: str) -> Any:
    """What a dotted path names, of which some first part is a module."""
    parts = path.split(".")
    for count in range(len(parts), 0, -1):
        try:
            thing: Any = import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            thing = getattr(thing, part)
        return thing
    raise AssertionError(f"{path} names nothing")


def documented(pages: dict[str, str]) -> dict[str, str]:
    """Heading of each object whose docstring is put into a page -> the path by which it is."""
    shown = re.compile(r'^::: (\S+)\n    options:\n      heading: "([^"]+)"', re.MULTILINE)
    return {heading: path for text in pages.values() for path, heading in shown.findall(text)}


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k, names in KINDS.items() for n in names])
def test_each_thing_of_a_registry_has_a_page_that_its_list_names(generated, kind, name):
    page, listed = generated[f"{kind}/{name}.md"], generated[f"{kind}/index.md"]
    title = page.partition("\n")[0]
    assert title.startswith("# ")
    assert name.replace("-", " ") in title.replace("-", " ")
    row = next(line for line in listed.splitlines() if f"({name}.md)" in line)
    told = row.split("|")[2].strip()
    assert len(told) > 4, "the list says nothing of it"
    assert "```" in page, "a page shows how the thing is used"


def test_a_row_of_advice_is_on_the_page_that_it_names(generated):
    from docs.advice import OTHERWISE

    assert "**When.** D/N is constant, or only one size varies." in generated["laws/power.md"]
    unnamed = [
        name
        for kind in ("likelihoods", "engines")
        for name in KINDS[kind]
        if OTHERWISE in generated[f"{kind}/{name}.md"]
    ]
    assert unnamed == [], "say in docs/choosing.md when to use it"


def test_no_page_is_left_of_what_is_gone(generated):
    for kind, names in KINDS.items():
        own = [path for path in generated if path.startswith(f"{kind}/")]
        assert sorted(own) == sorted(f"{kind}/{name}.md" for name in [*names, "index"])


@pytest.mark.parametrize("name", public_names())
def test_each_public_name_of_bayescale_is_in_the_reference(generated, name):
    path = documented(generated).get(f"bs.{name}")
    assert path is not None, "add it to the page of its folder"
    thing = getattr(bs, name) if "." not in name else resolved(f"bayescale.{name}")
    assert resolved(path) is thing
    assert f"(bs.{name}" not in path


OFFERED = sorted(name for modules in theory._HOMES.values() for name in modules)


@pytest.mark.parametrize("name", [*OFFERED, "laws", "optimum", "errors"])
def test_each_public_module_of_theory_has_a_page_with_what_it_offers(generated, name):
    page = generated[f"theory/{name}.md"]
    module = resolved(f"theory.{name}") if name in ("laws", "optimum", "errors") else None
    module = module or getattr(theory, name)
    for one in getattr(module, "__all__", ()):
        assert re.search(rf'^      heading: "{one}"$', page, re.MULTILINE), one
    assert "\n::: theory." in page


def test_each_object_in_the_reference_says_what_it_is(generated):
    silent = [
        path
        for text in generated.values()
        for path in re.findall(r"^::: (\S+)", text, re.MULTILINE)
        if hasattr(thing := resolved(path), "__qualname__") and not thing.__doc__
    ]
    assert silent == []


def test_the_list_of_commands_tells_every_exit_code(generated):
    assert Exit.sentence() in generated["commands/index.md"]


def test_the_readme_is_read_in_a_minute():
    text = (REPOSITORY / "README.md").read_text("utf-8")
    assert len(text.split()) < MOST_WORDS
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) - 2 <= MOST_FIGURES
