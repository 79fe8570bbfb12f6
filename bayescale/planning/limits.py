"""What may be trained: the limits that a user puts on a plan."""

import math
from dataclasses import dataclass

from bayescale.errors import UsageError

REPETITION = 15.387756
"""R of Muennighoff et al. 2023, arXiv:2305.16264: repetitions after which data stop helping."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What may be trained; nothing is limited by default.

    Parameters
    ----------
    N_max, D_max
        Most parameters (all of them, in a mixture of experts) and most tokens.
    unique_tokens
        Unique tokens; beyond them data repeat. Laws that know ``U`` use their own discount for
        repeated tokens, others that of `repetition`.
    repetition
        After how many repetitions data stop helping (Muennighoff et al. 2023, eq. 5).
    sizes
        The only N that may be trained; any where it is empty.

    Raises
    ------
    UsageError
        If a number is not positive and finite.

    Examples
    --------
    >>> Limits(N_max=7e9, unique_tokens=1e12).N_max
    7000000000.0
    """

    N_max: float | None = None
    D_max: float | None = None
    unique_tokens: float | None = None
    repetition: float = REPETITION
    sizes: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name in ("N_max", "D_max", "unique_tokens", "repetition"):
            amount = getattr(self, name)
            if amount is not None and not 0 < amount < math.inf:
                raise UsageError(f"{name} must be positive and finite; got {amount:g}.")
        if not all(0 < size < math.inf for size in self.sizes):
            raise UsageError(f"sizes are positive and finite; got {list(self.sizes)}.")
        object.__setattr__(self, "sizes", tuple(sorted({float(size) for size in self.sizes})))
