"""A design: the runs worth doing next, and how much better the optimum is known after them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from bayescale.designing.value import ValueOfInformation
from bayescale.diagnosis import Diagnosis, Result


@dataclass(frozen=True, eq=False, repr=False)
class Design(Result):
    """The runs worth doing next.

    Made by `design`.

    Parameters
    ----------
    table
        One row a candidate that was chosen: its resources, D/N, ``cost`` of one run (FLOP),
        ``count``, and ``gain``, the information that it adds to the rows above it (nats).
    candidates
        All candidates with their cost and the ``gain`` of a single run of each.
    spread
        Posterior sd of ``log N*`` and ``log L*`` at the target, now and after each way to spend the
        budget. Index: way. Columns: runs, cost, gain, N, loss.
    worth
        What the batch saves.
    running
        One row a job under way, with what it still tells; None where there is none.
    budget, at
        FLOP for the batch, and FLOP of the budget asked about.
    diagnosis
        The posterior's verdict and what is doubtful about the design.
    seed
        Seed of the draws.
    origin
        Table, number of runs and law of the posterior.
    """

    table: pd.DataFrame
    candidates: pd.DataFrame
    spread: pd.DataFrame
    worth: ValueOfInformation
    running: pd.DataFrame | None
    budget: float
    at: float
    diagnosis: Diagnosis
    seed: int
    origin: str = ""

    def __repr__(self) -> str:
        return (
            f"Design({int(np.sum(self.table['count']))} runs for {self.table_cost:.3g} FLOP, "
            f"{self.table['gain'].sum():.2f} nats on N* and L* at {self.at:.3g} FLOP)"
        )

    @property
    def figure(self) -> str:
        """The kind of figure that `plot` draws by default."""
        return "design"

    @cached_property
    def table_cost(self) -> float:
        """FLOP of the whole batch."""
        return float(np.sum(self.table["cost"] * self.table["count"]))

    def advice(self) -> tuple[str, ...]:
        """Whether the batch pays, in a sentence."""
        return (self.worth.sentence(self.at),)

    def summary(self) -> pd.DataFrame:
        """How well ``log N*`` and ``log L*`` are known now, after the batch, and by isoFLOP grids.

        Returns
        -------
        pandas.DataFrame
            See `Design.spread`.
        """
        return self.spread

    def runs(self) -> pd.DataFrame:
        """The batch with one row a run, dearest first: what to launch."""
        again = self.table.loc[np.repeat(self.table.index, self.table["count"].to_numpy())]
        kept = again.drop(columns=["count", "gain"]).sort_values("cost", ascending=False)
        return kept.reset_index(drop=True)

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {
            "runs": self.table.to_dict(orient="records"),
            "budget": self.budget,
            "cost": self.table_cost,
            "at": self.at,
            "spread": self.spread.to_dict(orient="index"),
            "worth": {
                "regret": self.worth.regret,
                "regret_after": self.worth.regret_after,
                "saved": self.worth.saved,
                "pays": self.worth.pays,
            },
            "running": None if self.running is None else self.running.to_dict(orient="records"),
            "seed": self.seed,
            **self.verdict(),
        }
