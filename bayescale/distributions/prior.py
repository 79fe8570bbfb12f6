"""Priors as data: a family's name and numbers, which print, compare and serialise.

`default_priors` is the one place where the role of a coordinate becomes a prior.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from bayescale.distributions.families import FAMILIES
from bayescale.errors import UsageError
from theory.errors import did_you_mean

FIXED = "Fixed"
"""Family of a coordinate that is held at ``value`` and not sampled."""


class Prior:
    """A distribution given as data.

    Parameters
    ----------
    family
        A name in `FAMILIES`, or ``"Fixed"``.
    **arguments
        The family's numbers under their canonical names (those of PyMC); ``value`` for a fixed one.

    Raises
    ------
    UsageError
        If the family or an argument is unknown, missing, or out of range.

    Examples
    --------
    >>> Prior("LogNormal", mu=-1.2, sigma=0.4)
    Prior("LogNormal", mu=-1.2, sigma=0.4)
    >>> Prior.around(0.3, 0.4) == Prior("LogNormal", mu=math.log(0.3), sigma=0.4)
    True
    """

    __slots__ = ("arguments", "family")

    def __init__(self, family: str, **arguments: float) -> None:
        allowed = (*FAMILIES, FIXED)
        if family not in allowed:
            raise UsageError(f"no prior family '{family}'.{did_you_mean(family, allowed)}")
        spelling = FAMILIES.get(family)
        names = spelling.arguments if spelling else ("value",)
        if set(arguments) != set(names):
            raise UsageError(
                f"prior '{family}' takes {', '.join(names)}; got {', '.join(arguments) or 'none'}."
            )
        for name in names:
            number = arguments[name]
            positive = spelling is not None and name in spelling.positive
            if not math.isfinite(number) or (positive and number <= 0):
                allowed_text = "finite and positive" if positive else "finite"
                raise UsageError(
                    f"'{name}' of prior '{family}' must be {allowed_text}; got {number}."
                )
        if family == "Uniform" and arguments["lower"] >= arguments["upper"]:
            raise UsageError(
                f"prior 'Uniform' needs lower < upper; got {arguments['lower']} and "
                f"{arguments['upper']}."
            )
        self.family = family
        self.arguments = {name: float(arguments[name]) for name in names}

    @classmethod
    def around(cls, median: float, spread: float) -> "Prior":
        """LogNormal with a median, and `spread` the standard deviation of the logarithm."""
        if not median > 0:
            raise UsageError(f"the median of a LogNormal must be positive; got {median}.")
        return cls("LogNormal", mu=math.log(median), sigma=spread)

    @classmethod
    def fixed(cls, value: float) -> "Prior":
        """Hold a coordinate at `value`."""
        return cls(FIXED, value=value)

    @classmethod
    def parse(cls, text: str) -> "Prior":
        """Prior from text such as ``LogNormal(mu=-1.2, sigma=0.4)``, or a number that fixes it.

        The text is matched against a pattern, never evaluated.

        Raises
        ------
        UsageError
            If the text is neither.

        Examples
        --------
        >>> Prior.parse("Beta(alpha=5, beta=3)")
        Prior("Beta", alpha=5, beta=3)
        >>> Prior.parse("1.0").is_fixed
        True
        """
        call = re.fullmatch(r"\s*(\w+)\s*\(([^()]*)\)\s*", text)
        try:
            if call is None:
                return cls.fixed(float(text))
            pairs = [part.split("=") for part in call[2].split(",") if part.strip()]
            return cls(call[1], **{name.strip(): float(number) for name, number in pairs})
        except ValueError as error:
            if isinstance(error, UsageError):
                raise
            raise UsageError(
                f"'{text}' is not a prior; write a number to fix it, or a family with its "
                "arguments such as LogNormal(mu=-1.2, sigma=0.4)."
            ) from error

    @property
    def is_fixed(self) -> bool:
        """Whether the coordinate is held at a value."""
        return self.family == FIXED

    @property
    def bounds(self) -> tuple[float, float]:
        """Ends of its support; a fixed value is both."""
        if self.is_fixed:
            return self.arguments["value"], self.arguments["value"]
        support = FAMILIES[self.family].support(**self.arguments)
        return support.lower, support.upper

    def scipy(self) -> Any:
        """The frozen SciPy distribution (`logpdf`, `ppf`, `rvs`, ...)."""
        from scipy import stats

        if self.is_fixed:
            raise UsageError("a fixed value has no density; ask `is_fixed` first.")
        return FAMILIES[self.family].scipy(stats, **self.arguments)

    def sample(self, rng: np.random.Generator, size: int | tuple[int, ...] = ()) -> np.ndarray:
        """Draw from the prior with NumPy's generator `rng`; an array of shape `size`."""
        if self.is_fixed:
            return np.full(size, self.arguments["value"])
        if (draw := FAMILIES[self.family].draw) is not None:
            return np.asarray(draw(rng, size or None, **self.arguments))
        return np.asarray(self.scipy().rvs(size=size or None, random_state=rng))

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {"family": self.family, **self.arguments}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Prior":
        """From the data that `to_dict` gave."""
        arguments = dict(data)
        return cls(arguments.pop("family"), **arguments)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Prior) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.family, *self.arguments.items()))

    def __repr__(self) -> str:
        numbers = ", ".join(f"{name}={number:g}" for name, number in self.arguments.items())
        return f'Prior("{self.family}", {numbers})'
