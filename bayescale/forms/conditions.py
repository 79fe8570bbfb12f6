"""`check`: the verdict on every condition of admissibility, for a law of anyone's."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import sympy

from bayescale.diagnosis import Diagnosis, Result
from bayescale.models.formulas import find_law
from theory.admissibility import admissible
from theory.admissibility.verdict import Status, Verdict
from theory.declaration.abstract_law import AbstractLaw


@dataclass(frozen=True)
class Check(Result):
    """What is known of a law.

    Parameters
    ----------
    law
        The law.
    verdicts
        One a condition, in the order of `theory.admissibility.admissible.conditions`.
    """

    law: AbstractLaw
    verdicts: tuple[Verdict, ...]

    @property
    def broken(self) -> tuple[Verdict, ...]:
        """Refutations of what the law claims."""
        refuted = [v for v in self.verdicts if v.status is Status.REFUTED]
        return tuple(v for v in refuted if v.code in self.law.claims)

    @property
    def diagnosis(self) -> Diagnosis:
        """A warning for every claim of the law that is refuted."""
        known = admissible.conditions()
        return Diagnosis(
            warnings=tuple(
                f"law '{self.law.name}' claims {v.code} ({known[v.code].title}), which is refuted: "
                f"{v.detail}"
                for v in self.broken
            )
        )

    def summary(self) -> pd.DataFrame:
        """One row a condition: title, status, whether the law claims it, why, and the witness."""
        known = admissible.conditions()
        return pd.DataFrame(
            {
                "condition": [known[v.code].title for v in self.verdicts],
                "status": [str(v.status) for v in self.verdicts],
                "claimed": [v.code in self.law.claims for v in self.verdicts],
                "detail": [v.detail for v in self.verdicts],
                "witness": [_point(v) for v in self.verdicts],
            },
            index=pd.Index([v.code for v in self.verdicts], name="code"),
        )

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON; numbers of a witness are text with all their digits."""
        known = admissible.conditions()
        rows = [
            {
                "code": v.code,
                "condition": known[v.code].title,
                "status": str(v.status),
                "claimed": v.code in self.law.claims,
                "detail": v.detail,
                "witness": {name: str(value) for name, value in (v.witness or {}).items()} or None,
            }
            for v in self.verdicts
        ]
        return {
            "law": self.law.name,
            "formula": self.law.formula_text(),
            "conditions": rows,
            "broken": [v.code for v in self.broken],
            **self.verdict(),
        }

    def __str__(self) -> str:
        lines = [f"{self.law.name}: {self.law.formula_text()}"]
        known = admissible.conditions()
        for verdict in self.verdicts:
            title = known[verdict.code].title
            claim = " (claimed)" if verdict in self.broken else ""
            at = f" At {_point(verdict)}." if verdict.witness else ""
            lines.append(
                f"{verdict.code} {title:22} {verdict.status!s:9}{claim} {verdict.detail}{at}"
            )
        return "\n".join(lines)

    def __repr__(self) -> str:
        proved = sum(v.status is Status.PROVED for v in self.verdicts)
        broken = ", ".join(v.code for v in self.broken) or "no claim"
        return (
            f"Check('{self.law.name}', {proved} of {len(self.verdicts)} conditions proved, "
            f"{broken} refuted)"
        )


def check(law: str | AbstractLaw, *, resources: Sequence[str] | None = None) -> Check:
    """Check a law against every condition of admissibility (`theory.admissibility.admissible`).

    Parameters
    ----------
    law
        A law, its name in the catalogue, or a formula such as ``"E + A*N**-alpha + B*D**-beta"``.
    resources
        For a formula: which names are resources, if not N, D and C.

    Returns
    -------
    Check

    Raises
    ------
    UnknownLaw
        If a name is not in the catalogue.
    UsageError, LimitError
        If a formula cannot be read.

    Examples
    --------
    >>> import bayescale as bs
    >>> bs.check("E + A*N**-alpha + B*D**-beta").summary()["status"].loc[["A0", "A4"]].tolist()
    ['proved', 'refuted']
    """
    found = find_law(law, resources=resources)
    return Check(found, admissible.check(found))


def _short(number: sympy.Float) -> str:
    """Four digits, also of what is too large or small for a float."""
    plain = float(number)
    return f"{plain:.4g}" if 0 < abs(plain) < math.inf else str(sympy.N(number, 4))


def _point(verdict: Verdict) -> str:
    return ", ".join(f"{name} = {_short(value)}" for name, value in verdict.point.items())
