"""Inference engines: ways to draw from the posterior of a model, each a file of `samplers`."""

from bayescale.engines.engine import AbstractEngine
from bayescale.errors import UsageError
from bayescale.registry import Folder
from theory.errors import did_you_mean

ENGINES = Folder("bayescale.engines.samplers", lambda module: module.Engine)
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
    return ENGINES[name]()
