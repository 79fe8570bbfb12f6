"""From FLOP to GPU hours, wall clock and money, with the dense peak rates of known chips."""

import math
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from bayescale.errors import UsageError
from theory.errors import did_you_mean

HOUR = 3600.0
"""Seconds."""

UTILISATION = 0.4
"""Model FLOP utilisation where none is given; large dense runs report .3 to .55."""


@dataclass(frozen=True)
class Chip:
    """An accelerator.

    Parameters
    ----------
    name, title
        Short and full name.
    peak
        Peak rate in FLOP a second for DENSE bf16 matrices.
    source
        Where that number is from.
    """

    name: str
    title: str
    peak: float
    source: str


@cache
def chips() -> dict[str, Chip]:
    """Every known chip by name.

    Examples
    --------
    >>> chips()["a100"].peak
    312000000000000.0
    """
    text = files("bayescale.cost").joinpath("chips.toml").read_text("utf-8")
    return {name: Chip(name, **fields) for name, fields in tomllib.loads(text).items()}


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """What FLOP run on: ``GPU hours = C/(3600 peak utilisation)``, money = GPU hours x price.

    Parameters
    ----------
    chip
        Name of a known chip.
    utilisation
        Share of the dense peak that training attains (MFU).
    serving_utilisation
        The same for serving; that of training by default.
    price
        Money for a chip for an hour, in the user's currency; None where money is not asked.
    gpus
        How many chips train at once; None where time is not asked.

    Raises
    ------
    UsageError
        If the chip is unknown, or a number is out of its range.

    Examples
    --------
    >>> round(Hardware(chip="h100", utilisation=0.4).gpu_hours(1e24))
    701884
    """

    chip: str = "h100"
    utilisation: float = UTILISATION
    serving_utilisation: float | None = None
    price: float | None = None
    gpus: float | None = None

    def __post_init__(self) -> None:
        if self.chip not in chips():
            raise UsageError(f"no chip called '{self.chip}'.{did_you_mean(self.chip, chips())}")
        for name in ("utilisation", "serving_utilisation"):
            share = getattr(self, name)
            if share is not None and not 0 < share <= 1:
                raise UsageError(
                    f"{name} (MFU) is a share of the dense peak between 0 and 1; got {share:g}. "
                    "A share above 1 comes of counting FLOP against the wrong peak."
                )
        for name in ("price", "gpus"):
            amount = getattr(self, name)
            if amount is not None and not 0 < amount < math.inf:
                raise UsageError(f"{name} must be positive and finite; got {amount:g}.")

    @property
    def rate(self) -> float:
        """FLOP a second that one chip attains in training."""
        return chips()[self.chip].peak * self.utilisation

    @property
    def serving_weight(self) -> float:
        """Chip time of a FLOP of serving over that of a FLOP of training."""
        return self.utilisation / (self.serving_utilisation or self.utilisation)

    def gpu_hours(self, compute: float) -> float:
        """Chip hours of training `compute` FLOP."""
        return compute / (HOUR * self.rate)

    def hours(self, compute: float) -> float:
        """Wall-clock hours of training `compute` FLOP on all chips.

        Raises
        ------
        UsageError
            If the number of chips is not known.
        """
        if self.gpus is None:
            raise UsageError(
                "wall-clock time needs the number of chips; pass "
                "hardware=Hardware(gpus=...) (--gpus)."
            )
        return self.gpu_hours(compute) / self.gpus

    def compute_within(self, hours: float) -> float:
        """FLOP that all chips train in so many wall-clock hours.

        Raises
        ------
        UsageError
            If the number of chips is not known, or the time is not positive.
        """
        if self.gpus is None:
            raise UsageError(
                "a limit of hours needs the number of chips; pass "
                "hardware=Hardware(gpus=...) (--gpus)."
            )
        if not 0 < hours < math.inf:
            raise UsageError(f"hours must be positive and finite; got {hours:g}.")
        return hours * HOUR * self.rate * self.gpus

    def money(self, compute: float) -> float:
        """Price of training `compute` FLOP.

        Raises
        ------
        UsageError
            If there is no price.
        """
        if self.price is None:
            raise UsageError(
                "money needs the price of a chip for an hour; pass "
                "hardware=Hardware(price=...) (--price)."
            )
        return self.gpu_hours(compute) * self.price
