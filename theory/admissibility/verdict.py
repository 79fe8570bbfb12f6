"""What is known of a claim about a law: proved, supported, refuted or unknown, and by what."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import sympy


class Status(StrEnum):
    """How a claim stands."""

    PROVED = "proved"
    """Follows from the formula by exact rules, for all parameters in their domains."""
    SUPPORTED = "supported"
    """No violation was found in high-precision arithmetic at random points."""
    REFUTED = "refuted"
    """Violated at the witness."""
    UNKNOWN = "unknown"
    """Could be neither proved nor tested."""


@dataclass(frozen=True)
class Verdict:
    """The verdict on one condition.

    Parameters
    ----------
    code
        Code of the condition, such as ``A0``.
    status
        How it stands.
    detail
        One sentence: the reason, or what is violated.
    witness
        For a refutation, the point at which it was evaluated with 50 digits: resources and
        parameters by name, in the user's units, and under ``found`` and ``allowed`` what was
        found there and what the condition allows.
    """

    code: str
    status: Status
    detail: str
    witness: Mapping[str, sympy.Float | str] | None = None

    def __post_init__(self) -> None:
        if (self.status is Status.REFUTED) != (self.witness is not None):
            raise ValueError("a refutation, and nothing else, carries a witness.")

    @property
    def point(self) -> dict[str, sympy.Float]:
        """Resources and parameters of the witness."""
        witness = self.witness or {}
        return {k: v for k, v in witness.items() if isinstance(v, sympy.Float)}
