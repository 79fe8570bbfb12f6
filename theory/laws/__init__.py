"""The catalogue of laws: one declaration each; the registry is read from the modules below.

To add a law, write one assignment in the module of its kind: it is then listed, checked, charted,
given priors, fitted, planned with, and run through the contract tests.
"""

from theory.errors import UnknownLaw, did_you_mean
from theory.law import AbstractLaw
from theory.laws import covariates, dynamics, implicit, one_size, two_sizes

_MODULES = (one_size, two_sizes, implicit, dynamics, covariates)


def catalogue() -> dict[str, AbstractLaw]:
    """Every law declared in the modules of this package, by name, in the order of declaration."""
    return {
        law.name: law
        for module in _MODULES
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
    known = catalogue()
    if name in known:
        return known[name]
    raise UnknownLaw(f"no law called '{name}'.{did_you_mean(name, known)}")


def __getattr__(name: str) -> AbstractLaw:
    """``laws.chinchilla`` for ``laws.get("chinchilla")``."""
    known = catalogue()
    if name in known:
        return known[name]
    raise AttributeError(f"no law called '{name}' in the catalogue")


def __dir__() -> list[str]:
    return [*globals(), *catalogue()]
