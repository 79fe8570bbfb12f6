"""The public names of bayescale and their parameters are those of the snapshot.

After a change that is meant:

    python tests/test_public_api.py > tests/reference/public_api.txt
"""

import difflib
import inspect
import subprocess
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import bayescale

SNAPSHOT = Path(__file__).parent / "reference" / "public_api.txt"


class Named:
    """A module or function that prints as its name, without the place where it lies."""

    def __init__(self, thing: Any) -> None:
        self.name = thing.__name__

    def __repr__(self) -> str:
        return self.name


def parameters(function: Any) -> str:
    """Names, kinds and defaults; not annotations, whose text depends on the Python version."""
    if inspect.isclass(function) and issubclass(function, Enum | BaseException):
        return "(...)"  # its signature is Python's own
    signature = inspect.signature(function)
    bare = [
        p.replace(
            annotation=p.empty,
            default=Named(p.default)
            if hasattr(p.default, "__name__") and p.default is not p.empty
            else p.default,
        )
        for p in signature.parameters.values()
    ]
    return str(signature.replace(parameters=bare, return_annotation=signature.empty))


def is_own(thing: Any, module: Any) -> bool:
    """Whether a class or function is one of a module that does not list its names itself."""
    named = inspect.isclass(thing) or inspect.isfunction(thing)
    return named and thing.__module__ == module.__name__ and not thing.__name__.startswith("_")


def described(name: str, thing: Any) -> Iterator[str]:
    if inspect.ismodule(thing):
        yield f"{name} (module)"
        own = [n for n, one in vars(thing).items() if is_own(one, thing)]
        for inner in sorted(getattr(thing, "__all__", own)):
            yield from described(f"{name}.{inner}", getattr(thing, inner))
    elif inspect.isclass(thing):
        yield f"{name}{parameters(thing)}"
        for attribute, value in sorted(vars(thing).items()):
            if attribute.startswith("_"):
                continue
            if isinstance(value, classmethod | staticmethod):
                yield f"{name}.{attribute}{parameters(value.__func__)}"
            elif inspect.isfunction(value):
                yield f"{name}.{attribute}{parameters(value)}"
            else:
                yield f"{name}.{attribute}"
    elif callable(thing):
        yield f"{name}{parameters(thing)}"
    else:
        yield name


def public_api() -> list[str]:
    names = sorted(bayescale.__all__)
    return [line for name in names for line in described(name, getattr(bayescale, name))]


def test_the_public_names_are_those_of_the_snapshot():
    known = SNAPSHOT.read_text("utf-8").splitlines()
    change = "\n".join(
        difflib.unified_diff(known, public_api(), "snapshot", "now", lineterm="", n=0)
    )
    assert not change, (
        f"the public names changed:\n{change}\nIf this is meant, say so in CHANGELOG.md and run "
        f"python tests/{Path(__file__).name} > tests/reference/{SNAPSHOT.name}"
    )


FIRST = """
import importlib, sys
for name in sys.argv[1:]:
    for one in [one for one in sys.modules if one.split(".")[0] == "bayescale"]:
        del sys.modules[one]
    assert importlib.import_module("bayescale").__getattr__(name)
"""


def test_a_public_module_is_found_before_anything_else_was_imported():
    modules = [name for name in bayescale.__all__ if inspect.ismodule(getattr(bayescale, name))]
    assert len(modules) > 4
    done = subprocess.run(
        [sys.executable, "-c", FIRST, *modules], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


if __name__ == "__main__":
    print("\n".join(public_api()))  # noqa: T201
