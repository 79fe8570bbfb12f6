"""Mathematics of scaling laws: declared, derived, compiled to the log domain.

The modules that a reader works with can be had from here (``from theory import laws, scaling``),
whatever folder they live in; each is imported when it is first used.
"""

from importlib import import_module
from types import ModuleType

_HOMES = {
    "declaration": ("contour", "crossover", "forward", "law", "links", "symbols", "terms"),
    "admissibility": ("admissible", "evidence", "scaling"),
    "learning": (
        "dmft",
        "feature_learning",
        "geometry",
        "random_features",
        "regimes",
        "rich_frontier",
        "simulate",
        "spectrum",
    ),
}
"""Folder -> modules in it that are offered here; `laws`, `optimum` and `errors` stand beside."""


def __getattr__(name: str) -> ModuleType:
    for folder, modules in _HOMES.items():
        if name in modules:
            return import_module(f"theory.{folder}.{name}")
    raise AttributeError(f"module 'theory' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *(name for modules in _HOMES.values() for name in modules)])
