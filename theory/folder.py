"""The modules of a folder, so that to add a thing is to add it there."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType


def names(package: ModuleType) -> list[str]:
    """Names of the modules of a folder, sorted; they are not imported."""
    return sorted(module.name for module in iter_modules(package.__path__))


def modules(package: ModuleType) -> Iterator[ModuleType]:
    """The modules of a folder, each imported when it comes up.

    Parameters
    ----------
    package
        The folder. A further folder appended to its ``__path__`` adds its modules.
    """
    return (import_module(f"{package.__name__}.{name}") for name in names(package))
