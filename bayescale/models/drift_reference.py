"""The reference class of drifts: how wrong fitted laws were of larger runs on real tables.

`drift_reference.toml` beside this file holds one entry a law. It was learnt from forecasts of the
larger runs of real tables by a law fitted to the smaller ones, in one hierarchical model of the
errors (the file tells which, and the command that makes it again). A table not seen yet is one more
of the class, and has its medians with a spread between tables that was chosen by forecasts of
sources left out.
"""

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from bayescale.distributions.prior import Prior
from bayescale.errors import UsageError
from bayescale.models.drift import Drift
from theory.declaration.abstract_law import AbstractLaw

REFERENCE: Final = "reference"
"""What stands for the drift of a law's reference class wherever a drift is asked for."""

Drifting = Drift | str | None
"""What may be said of drift: one of one's own, ``"reference"`` or none."""

PATH = Path(__file__).with_suffix(".toml")

ONE_SIZE, FEWEST_SIZES = "one size", 2
"""Entry of laws of fewer sizes than two."""

LIKE = "chinchilla"
"""Entry of laws without one of their own: theirs is not known to be smaller."""


def drift_of(law: AbstractLaw, drift: Drifting) -> Drift | None:
    """The drift that is meant for a law.

    Raises
    ------
    UsageError
        If it is neither a drift, nor ``"reference"``, nor None.
    """
    if drift is None or isinstance(drift, Drift):
        return drift
    if drift != REFERENCE:
        raise UsageError(
            f"drift= is a bayescale.Drift, 'reference' (what forecasts of real tables were wrong "
            f"by) or None (the law is exact beyond the runs); got {drift!r}."
        )
    return reference_drift(law)


def reference_drift(law: AbstractLaw) -> Drift:
    """The drift of a law on a table not seen yet.

    Parameters
    ----------
    law
        One with an entry in the reference class has its own; any other of two sizes or more has
        that of the additive law, and a law of one size that of version 0.1, in units of the noise.
    """
    entries = _entries()
    name = law.name if law.name in entries else LIKE
    return entries[ONE_SIZE if len(law.sizes) < FEWEST_SIZES else name]


@lru_cache(maxsize=1)
def _entries() -> dict[str, Drift]:
    laws = tomllib.loads(PATH.read_text("utf-8"))["laws"]
    return {name: _drift(entry) for name, entry in laws.items()}


def _drift(entry: dict[str, Any]) -> Drift:
    """A drift from an entry, whose scale is LogNormal and whose lean is a number or nothing."""
    scale = Prior("LogNormal", mu=entry["scale"]["mu"], sigma=entry["scale"]["sigma"])
    return Drift(
        scale,
        power=entry["power"],
        at=entry["at"],
        lean=Prior.fixed(entry.get("lean", 0.0)),
        tilt=entry.get("tilt", 0.0),
        own=entry.get("own", 0.0),
    )
