"""What a condition of admissibility is: a code, a title, and the function that decides it."""

from collections.abc import Callable
from dataclasses import dataclass

from theory.admissibility.verdict import Status, Verdict
from theory.declaration.abstract_law import AbstractLaw
from theory.errors import LawError

UNDECIDED = (ArithmeticError, LawError, RecursionError)
"""What a formula outside of all that the rules and searches know may raise."""


@dataclass(frozen=True)
class Condition:
    """One condition of admissibility.

    Parameters
    ----------
    code
        ``A`` and a number, by which laws claim it.
    title
        A few words for tables.
    decide
        The function that decides it.
    """

    code: str
    title: str
    decide: Callable[[AbstractLaw], Verdict]

    def test(self, law: AbstractLaw) -> Verdict:
        """The verdict: by construction where the law says so, otherwise decided."""
        if self.code in law.by_construction:
            return Verdict(self.code, Status.PROVED, law.by_construction[self.code])
        try:
            return self.decide(law)
        except UNDECIDED as error:
            return Verdict(self.code, Status.UNKNOWN, f"not computed: {str(error).rstrip('.')}.")
