"""What a check of the audit is, and what it sees of a table."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from jaxtyping import Float

from bayescale.auditing.finding import Finding
from bayescale.auditing.surface import Surface
from bayescale.runs.table import Runs
from bayescale.runs.vocabulary import CANONICAL


@dataclass(frozen=True, eq=False)
class Audited:
    """A table as the checks see it.

    Parameters
    ----------
    runs
        The table.
    known
        Columns that the fit takes care of: resources of its law, its groups.
    curves
        Whether rows of one run may depend on each other.
    seed
        Seed of permutations.
    """

    runs: Runs
    known: frozenset[str] = frozenset()
    curves: bool = False
    seed: int = 0

    @cached_property
    def sizes(self) -> list[str]:
        """N and D, or what the table has of N, D, C: the sizes that tell runs apart."""
        own = [name for name in ("N", "D") if name in self.runs.table]
        return own or [*self.runs.resources]

    @cached_property
    def logs(self) -> dict[str, Float[np.ndarray, " run"]]:
        """Logarithm of each size."""
        return {name: np.log(self.runs.column(name).astype(np.float64)) for name in self.sizes}

    @cached_property
    def surface(self) -> Surface:
        """A smooth surface through the log losses, over the sizes."""
        return Surface.through(np.log(self.runs.loss), [*self.logs.values()])

    @cached_property
    def cells(self) -> np.ndarray:
        """Number of the cell of each row: rows of equal sizes are of one cell."""
        keys = self.runs.table[self.sizes]
        return keys.groupby(self.sizes, sort=False).ngroup().to_numpy()

    @cached_property
    def others(self) -> list[str]:
        """Columns beside ours that vary and that the fit does not take care of."""
        table = self.runs.table
        return [name for name in self.free if len(table[name].dropna().unique()) > 1]

    @cached_property
    def free(self) -> list[str]:
        """Columns beside ours that the fit does not take care of."""
        given = map(str, self.runs.table.columns)
        return [name for name in given if name not in CANONICAL and name not in self.known]

    @cached_property
    def names_given(self) -> bool:
        """Whether the table itself names its runs; else they are called by their row."""
        return not self.runs.table["run"].str.fullmatch(r"row \d+").all()

    def is_number(self, column: str) -> bool:
        """Whether a column holds numbers."""
        kind = self.runs.table[column].dtype
        return bool(pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind))

    def numbers(self, column: str) -> Float[np.ndarray, " run"]:
        """A column of numbers, NaN where there is none."""
        return self.runs.table[column].to_numpy(dtype=np.float64, na_value=np.nan)


class AbstractCheck(ABC):
    """One thing that the audit looks for."""

    @abstractmethod
    def look(self, table: Audited) -> Iterator[Finding]:
        """What is found in a table, if anything."""
