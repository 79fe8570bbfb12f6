"""How long computations say where they are: a function that is told of every stage."""

from collections.abc import Callable

Progress = Callable[[str], None]
"""Called with a few words whenever an engine reaches a new stage."""


def silent(stage: str) -> None:
    """Tell nobody."""
