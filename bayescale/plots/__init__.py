"""Drawings: a posterior's fit and exponents; frontier, valley, target; collapse, calibration.

Each function returns a Matplotlib figure that no global state knows of; `save` writes it, and a
notebook shows it. `draw` takes the name of a kind instead, and makes what it needs of a posterior;
``post.plot("fit")`` is the same through pyplot, so that ``plt.show()`` shows the figure too. The
layout of a figure follows its size: ``figure.set_size_inches(3.4, 3.6)`` fits a column.
Matplotlib is imported when the first of them is used.
"""

from importlib import import_module
from typing import Any

from bayescale.registry import Folder
from theory.errors import did_you_mean

FIGURES = Folder(
    f"{__name__}.figures", lambda module: getattr(module, module.__name__.rpartition(".")[2])
)
"""Every plot, by name."""

_TOOLS = {"save": "bayescale.plots.files", "draw": "bayescale.plots.drawing"}
"""What is no plot -> where it is defined."""

__all__ = [*FIGURES, *_TOOLS]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in _TOOLS:
        return getattr(import_module(_TOOLS[name]), name)
    if name in FIGURES:
        return FIGURES[name]
    raise AttributeError(f"no plot called '{name}'.{did_you_mean(name, FIGURES)}")


def __dir__() -> list[str]:
    return [*FIGURES, *_TOOLS]
