"""`audit`: what a table of runs shows that its fit would not, before anything is believed."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bayescale.auditing.check import Audited
from bayescale.auditing.checks import CHECKS
from bayescale.auditing.finding import Finding, Severity
from bayescale.diagnosis import Diagnosis
from bayescale.notebook import Shown
from bayescale.runs.table import Runs, read_runs


@dataclass(frozen=True)
class Audit(Shown):
    """The findings of an audit, the gravest first.

    Parameters
    ----------
    name
        Of the table.
    count
        Rows of the table.
    findings
        What was found.
    """

    name: str
    count: int
    findings: tuple[Finding, ...]

    @property
    def diagnosis(self) -> Diagnosis:
        """The findings as refusals, warnings and notes."""
        by = {s: tuple(str(f) for f in self.findings if f.severity is s) for s in Severity}
        return Diagnosis(by[Severity.REFUSE], by[Severity.WARN], by[Severity.NOTE])

    def table(self) -> pd.DataFrame:
        """One row a finding: severity, check, sentence, handle, command."""
        columns = ["severity", "check", "sentence", "handle", "command"]
        rows = [[getattr(finding, name) for name in columns] for finding in self.findings]
        return pd.DataFrame(rows, columns=columns)

    def _short_table(self) -> pd.DataFrame:
        return self.table().drop(columns=["sentence", "handle"])

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {
            "table": self.name,
            "n_runs": self.count,
            "status": str(self.diagnosis.status),
            "findings": [finding.to_dict() for finding in self.findings],
        }

    def __repr__(self) -> str:
        found = ", ".join(f"{finding.check} ({finding.severity})" for finding in self.findings)
        return f"Audit({self.name!r}, {self.count} runs: {found or 'nothing found'})"

    def __str__(self) -> str:
        head = f"{self.name}: {self.count} runs"
        if not self.findings:
            return f"{head}, nothing found."
        return "\n".join([f"{head}:", *(f"- {f.severity}: {f}" for f in self.findings)])


def audit(
    runs: Runs | pd.DataFrame | str | os.PathLike,
    *,
    known: Iterable[str] = (),
    curves: bool = False,
    seed: int = 0,
) -> Audit:
    """Look a table over for what a fit of it would not show.

    Several corpora in one table, sweeps, checkpoints taken for runs, units that differ, runs that
    did not finish and the like let a law be fitted without a complaint, and its forecasts be wrong.
    Each finding is a sentence with its evidence and what to do.

    Parameters
    ----------
    runs
        The table, or what `read_runs` reads.
    known
        Columns that the fit takes care of, such as further resources of its law, or its groups.
    curves
        The fit knows that rows of one run depend on each other.
    seed
        Seed of the permutations by which chance is judged.

    Returns
    -------
    Audit
        Its `findings`, `table()` and `diagnosis`.

    Raises
    ------
    RunsError
        The table cannot be read.

    Examples
    --------
    >>> import bayescale as bs
    >>> size = [1e6 * 2**i for i in range(12)]
    >>> accuracy = [0.3 + 0.05 * i for i in range(12)]
    >>> bs.audit(pd.DataFrame({"N": size, "loss": accuracy}))
    Audit('table', 12 runs: not_a_loss (refuse))
    """
    table = runs if isinstance(runs, Runs) else read_runs(runs)
    seen = Audited(table, frozenset(known), curves, seed)
    found = [finding for check in CHECKS.values() for finding in check.look(seen)]
    order = [Severity.REFUSE, Severity.WARN, Severity.NOTE]
    return Audit(
        table.name, len(table), tuple(sorted(found, key=lambda f: order.index(f.severity)))
    )
