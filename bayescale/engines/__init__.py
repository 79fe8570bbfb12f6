"""Inference engines: one module each, found by the name of the module."""

from importlib import import_module

from bayescale.engines.engine import AbstractEngine, Draws
from bayescale.errors import UsageError
from theory.errors import did_you_mean

ENGINES = ("numpyro", "laplace", "pymc")
"""Engines by name; each is the final class ``Engine`` of the module of that name."""


def get(name: str) -> AbstractEngine:
    """Import and make the engine called `name`; engines cost seconds to import, hence by name.

    Raises
    ------
    UsageError
        If there is no such engine.
    """
    if name not in ENGINES:
        raise UsageError(f"no engine called '{name}'.{did_you_mean(name, ENGINES)}")
    return import_module(f"bayescale.engines.{name}").Engine()


__all__ = ["ENGINES", "AbstractEngine", "Draws", "get"]
