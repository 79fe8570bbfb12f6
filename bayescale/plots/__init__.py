"""Drawings: a posterior's fit and exponents; frontier, valley, target; collapse, calibration.

Each function returns a Matplotlib figure that no global state knows of; `save` writes it. Its
layout follows its size: ``figure.set_size_inches(3.4, 3.6)`` fits a column.
Matplotlib is imported when the first of them is used.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from bayescale.plots._calibration import calibration as calibration
    from bayescale.plots._collapse import collapse as collapse
    from bayescale.plots._design import design as design
    from bayescale.plots._exponents import exponents as exponents
    from bayescale.plots._fit import fit as fit
    from bayescale.plots._frontier import frontier as frontier
    from bayescale.plots._regime import regime as regime
    from bayescale.plots._save import save as save
    from bayescale.plots._sbc import sbc as sbc
    from bayescale.plots._target import target as target
    from bayescale.plots._valley import valley as valley

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "_calibration": ["calibration"],
        "_collapse": ["collapse"],
        "_design": ["design"],
        "_exponents": ["exponents"],
        "_fit": ["fit"],
        "_frontier": ["frontier"],
        "_regime": ["regime"],
        "_save": ["save"],
        "_sbc": ["sbc"],
        "_target": ["target"],
        "_valley": ["valley"],
    },
)
