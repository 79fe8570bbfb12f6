"""Whatever a public function, method or class of bayescale takes or returns has a public name.

Public are the names of `bayescale`, those of its public modules, and every name of `theory` in a
module that is not called private.
"""

import inspect
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, TypeAliasType, get_args, get_type_hints

import pytest

import bayescale as bs
from bayescale import errors
from bayescale.errors import BayescaleError, BayescaleWarning

FOREIGN = ("to_pymc",)
"""Functions whose annotations name a package that is imported for them alone."""


def public_names() -> dict[str, Any]:
    """Everything that ``bs.name`` or ``bs.module.name`` reaches."""
    found = {}
    for name in bs.__all__:
        thing = found[name] = getattr(bs, name)
        if isinstance(thing, ModuleType):
            inner = [n for n in dir(thing) if not n.startswith("_")]
            found |= {f"{name}.{n}": getattr(thing, n) for n in inner}
    return {name: thing for name, thing in found.items() if is_ours(thing)}


def is_ours(thing: Any) -> bool:
    return str(getattr(thing, "__module__", "")).startswith(("bayescale", "theory"))


PUBLIC = public_names()


def mentioned(annotation: Any) -> Iterator[type]:
    """Classes in an annotation, also within unions, containers and aliases."""
    if isinstance(annotation, TypeAliasType):
        annotation = annotation.__value__
    if isinstance(annotation, list | tuple):
        inner = annotation
    else:
        inner = get_args(annotation)
        if isinstance(annotation, type) and not inner:
            yield annotation
    for one in inner:
        yield from mentioned(one)


def functions(thing: Any) -> Iterator[Callable[..., Any]]:
    """A function itself; of a class what makes it, its public methods and its properties."""
    if not isinstance(thing, type):
        yield thing
        return
    for name, value in vars(thing).items():
        inner = getattr(value, "fget", None) or getattr(value, "func", None)
        function = inner or getattr(value, "__func__", value)
        if inspect.isfunction(function) and (name == "__init__" or not name.startswith("_")):
            yield function


def annotations(thing: Any) -> Iterator[Any]:
    for function in functions(thing):
        yield from get_type_hints(function).values()
    if isinstance(thing, type):
        yield from get_type_hints(thing).values()


def unnamed(thing: Any) -> set[str]:
    """Classes of ours that a thing takes or returns and that have no public name."""
    named = {id(one) for one in PUBLIC.values()}
    return {
        f"{kind.__module__}.{kind.__qualname__}"
        for annotation in annotations(thing)
        for kind in mentioned(annotation)
        if kind.__module__.startswith("bayescale") and id(kind) not in named
    }


@pytest.mark.parametrize(
    "name", [n for n, thing in PUBLIC.items() if callable(thing) and n not in FOREIGN]
)
def test_what_is_taken_and_returned_has_a_public_name(name: str):
    assert unnamed(PUBLIC[name]) == set()


def test_a_class_without_a_public_name_is_noticed():
    class Hidden:
        """Of no public module."""

    Hidden.__module__ = "bayescale.hidden"

    def takes(one: list[Hidden] | None) -> dict[str, int]: ...

    takes.__annotations__["one"] = list[Hidden] | None
    assert len(unnamed(takes)) == 1


def test_every_error_and_warning_of_the_package_is_in_the_public_module():
    assert len(PUBLIC) > 100  # and so everything is imported
    kinds: list[type] = [BayescaleError, BayescaleWarning]
    for kind in kinds:
        kinds += [k for k in kind.__subclasses__() if k.__module__ in sys.modules]
    assert len(kinds) > 8
    assert {kind.__name__ for kind in kinds if vars(errors).get(kind.__name__) is not kind} == set()
