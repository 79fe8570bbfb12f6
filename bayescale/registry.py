"""What a folder holds, by the names of its modules: to add a thing, add a file.

Likelihoods, engines, objectives, costs, plots, subcommands and file formats are each a folder in
which every module is one of them. Nothing re-types their names: error lists, help texts and tests
iterate over the folder. Names are read without importing anything, because some modules cost
seconds.
"""

import ast
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.machinery import PathFinder
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType


def names(package: str) -> list[str]:
    """Names of the modules of a folder, sorted; neither they nor the folder are imported.

    Examples
    --------
    >>> names("bayescale.planning.objectives")[:2]
    ['cvar', 'expected_loss']
    """
    return sorted(module.name for module in iter_modules(_places(package)))


def options(package: str) -> dict[str, list[str]]:
    """Fields of the dataclass that each module of a folder defines, read from its text.

    Examples
    --------
    >>> options("bayescale.models.likelihoods")["curves"]
    ['along', 'run']
    """
    found = {}
    for place in _places(package):
        for module in iter_modules([place]):
            text = Path(place, f"{module.name}.py").read_text("utf-8")
            classes = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
            found[module.name] = [
                ast.unparse(line.target)
                for one in classes
                if any(ast.unparse(mark).startswith("dataclass") for mark in one.decorator_list)
                for line in one.body
                if isinstance(line, ast.AnnAssign)
                and not ast.unparse(line.annotation).startswith("ClassVar")
            ]
    return dict(sorted(found.items()))


def _places(package: str) -> list[str]:
    """Where the modules of a package lie."""
    if package in sys.modules:  # a further folder may have been appended
        return [*sys.modules[package].__path__]
    parent = package.rpartition(".")[0]
    spec = PathFinder.find_spec(package, _places(parent) if parent else None)
    if spec is None or spec.submodule_search_locations is None:
        raise ModuleNotFoundError(f"there is no package {package}.", name=package)
    return [*spec.submodule_search_locations]


class Folder[Thing](Mapping[str, Thing]):
    """The things that the modules of a folder define, by the name of the module.

    Parameters
    ----------
    package
        The folder, as a package's name. A further folder appended to the package's ``__path__``
        adds its modules.
    find
        From a module to its thing.

    Examples
    --------
    >>> [*Folder("bayescale.planning.objectives", lambda module: module.__doc__)][:2]
    ['cvar', 'expected_loss']
    """

    def __init__(self, package: str, find: Callable[[ModuleType], Thing]) -> None:
        self._package, self._find = package, find

    def __iter__(self) -> Iterator[str]:
        return iter(names(self._package))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return name in [*self]

    def __getitem__(self, name: str) -> Thing:
        if name not in self:
            raise KeyError(name)
        return self._find(import_module(f"{self._package}.{name}"))

    def __repr__(self) -> str:
        return f"Folder({self._package}: {', '.join(self)})"


def defined[Kind](module: ModuleType, kind: type[Kind]) -> type[Kind]:
    """The one class of a kind that a module defines itself.

    Raises
    ------
    TypeError
        If it defines none, or several.
    """
    found = [
        thing
        for thing in vars(module).values()
        if isinstance(thing, type)
        and issubclass(thing, kind)
        and thing.__module__ == module.__name__
    ]
    if len(found) != 1:
        told = ", ".join(one.__name__ for one in found) or "none"
        raise TypeError(
            f"{module.__name__} must define one {kind.__name__}, but defines {told}; one class a "
            "file."
        )
    return found[0]
