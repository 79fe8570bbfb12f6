"""Drawings: a posterior's fit and exponents; frontier, valley, target; collapse, calibration.

Each function returns a Matplotlib figure that no global state knows of; `save` writes it. Its
layout follows its size: ``figure.set_size_inches(3.4, 3.6)`` fits a column.
Matplotlib is imported when the first of them is used.
"""

from typing import Any

from bayescale.registry import Folder
from theory.errors import did_you_mean

FIGURES = Folder(
    f"{__name__}.figures", lambda module: getattr(module, module.__name__.rpartition(".")[2])
)
"""Every plot, by name."""

__all__ = [*FIGURES, "save"]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name == "save":
        from bayescale.plots.files import save

        return save
    if name in FIGURES:
        return FIGURES[name]
    raise AttributeError(f"no plot called '{name}'.{did_you_mean(name, FIGURES)}")


def __dir__() -> list[str]:
    return [*FIGURES, "save"]
