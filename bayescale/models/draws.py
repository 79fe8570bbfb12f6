"""Posterior draws of one engine, before they have names and units."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Draws:
    """Posterior draws of one engine.

    Parameters
    ----------
    coordinates
        Every coordinate and noise parameter, fixed ones included; arrays of shape (chain, draw).
    sample_stats
        ArviZ's names (``diverging``, ``energy``, ``tree_depth``, ...) -> arrays (chain, draw).
    facts
        Numbers about the computation as a whole, e.g. ``pareto_k``; goes into the attributes.
    packages
        Distributions that made them, whose versions go into the record.
    """

    coordinates: Mapping[str, np.ndarray]
    sample_stats: Mapping[str, np.ndarray]
    facts: Mapping[str, Any] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
