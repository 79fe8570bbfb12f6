"""What goes into the program and what comes out: the tables as lanes, and their draws."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np

from bayescale.models.density import Numbers
from bayescale.models.observations import Observations


class Lanes(NamedTuple):
    """What differs between tables; every leaf has the table as its first axis.

    Parameters
    ----------
    observed
        Observations, padded to the same number of rows, with weights.
    numbers
        Numbers of the priors.
    starts
        Positions at which the search for the mode begins, (table, start, coordinate).
    keys
        A random key a table.
    """

    observed: Observations
    numbers: Numbers
    starts: Any
    keys: Any


@dataclass(frozen=True)
class BatchDraws:
    """Draws of many posteriors.

    Parameters
    ----------
    positions
        Unconstrained draws, (table, chain, draw, coordinate).
    lp
        Log posterior density at them, (table, chain, draw).
    diverging
        Whether the trajectory that led there diverged, (table, chain, draw).
    energy
        Hamiltonian at the start of each trajectory, (table, chain, draw).
    acceptance_rate
        Acceptance probability, (table, chain, draw).
    agreeing
        How many of the starts ended at the best mode, (table,).
    """

    positions: np.ndarray
    lp: np.ndarray
    diverging: np.ndarray
    energy: np.ndarray
    acceptance_rate: np.ndarray
    agreeing: np.ndarray


def stack(trees: Sequence[Any]) -> Any:
    """Pytrees of numbers and arrays of one structure -> one pytree with the table in front."""
    return jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *trees)
