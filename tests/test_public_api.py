"""The public names of bayescale and their parameters are those of the snapshot.

After a change that is meant:

    python tests/test_public_api.py > tests/reference/public_api.txt
"""

import difflib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bayescale

SNAPSHOT = Path(__file__).parent / "reference" / "public_api.txt"


class Module:
    """A module that prints as its name, without the place where it is installed."""

    def __init__(self, module: Any) -> None:
        self.name = module.__name__

    def __repr__(self) -> str:
        return self.name


def parameters(function: Any) -> str:
    """Names, kinds and defaults; not annotations, whose text depends on the Python version."""
    signature = inspect.signature(function)
    bare = [
        p.replace(
            annotation=p.empty,
            default=Module(p.default) if inspect.ismodule(p.default) else p.default,
        )
        for p in signature.parameters.values()
    ]
    return str(signature.replace(parameters=bare, return_annotation=signature.empty))


def described(name: str, thing: Any) -> Iterator[str]:
    if inspect.ismodule(thing):
        yield f"{name} (module)"
        for inner in sorted(getattr(thing, "__all__", ())):
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


if __name__ == "__main__":
    print("\n".join(public_api()))  # noqa: T201
