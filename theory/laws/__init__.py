"""The catalogue of laws: one declaration each; the registry is read from the folder.

To add a law, write one assignment in the module of its kind, or in a new module: it is then listed,
checked, charted, given priors, fitted, planned with, and run through the contract tests. A module
is imported when a law is looked for in it, since building all of them costs a few tenths of a
second.
"""

import sys
from collections.abc import Iterator
from types import ModuleType

from theory import folder
from theory.declaration.abstract_law import AbstractLaw
from theory.errors import UnknownLaw, did_you_mean


def _modules() -> Iterator[ModuleType]:
    return folder.modules(sys.modules[__name__])


def catalogue() -> dict[str, AbstractLaw]:
    """Every law declared in the modules of this package, by name; module by module, as declared."""
    return {
        law.name: law
        for module in _modules()
        for law in vars(module).values()
        if isinstance(law, AbstractLaw)
    }


def get(name: str) -> AbstractLaw:
    """Look a law up by name.

    Raises
    ------
    UnknownLaw
        If there is none; the message names the nearest.

    Examples
    --------
    >>> get("chinchilla").floor.name
    'E'
    """
    for module in _modules():
        if isinstance(law := vars(module).get(name), AbstractLaw):
            return law
    raise UnknownLaw(f"no law called '{name}'.{did_you_mean(name, catalogue())}")


def __getattr__(name: str) -> AbstractLaw:
    """``laws.chinchilla`` for ``laws.get("chinchilla")``."""
    if not name.startswith("_") and name not in folder.names(sys.modules[__name__]):
        try:
            return get(name)
        except UnknownLaw as error:
            raise AttributeError(str(error)) from error
    raise AttributeError(f"theory.laws has no attribute '{name}'")


def __dir__() -> list[str]:
    return [*globals(), *catalogue()]
