"""The one place where resources and parameters are made, each with its meaning and unit."""

from dataclasses import dataclass
from enum import StrEnum

import sympy


class Role(StrEnum):
    """What a parameter does in a law; default priors are looked up by role."""

    FLOOR = "floor"
    """Irreducible loss: what is left when every resource is infinite."""
    AMPLITUDE = "amplitude"
    """Size of one resource's term; its unit follows from the law (A, B, N_c, D_c)."""
    EXPONENT = "exponent"
    """Resolution-limited exponent of one resource."""
    SHAPE = "shape"
    """Shape of the crossover between the limits; changes no exponent."""
    POSITION = "position"
    """A place along a resource, in its unit, where the law changes."""
    CAP = "cap"
    """Loss without any training: what is left when a resource vanishes."""


class Domain(StrEnum):
    """Where a parameter lives. Positive parameters travel as logarithms through the code."""

    POSITIVE = "positive"
    REAL = "real"
    UNIT = "unit"
    """Between 0 and 1, exclusive; travels as a logarithm, like every positive parameter."""

    @property
    def is_positive(self) -> bool:
        """Whether what lives here travels as a logarithm."""
        return self is not Domain.REAL

    @property
    def middle(self) -> float:
        """A value well inside."""
        return {Domain.POSITIVE: 1.0, Domain.REAL: 0.0, Domain.UNIT: 0.5}[self]


class Symbolic:
    """Arithmetic for declared quantities: every operation gives a plain SymPy expression."""

    symbol: sympy.Symbol

    def _sympy_(self) -> sympy.Symbol:
        return self.symbol

    def __add__(self, other: "Operand") -> sympy.Expr:
        return self.symbol + sympy.sympify(other, strict=True)

    def __mul__(self, other: "Operand") -> sympy.Expr:
        return self.symbol * sympy.sympify(other, strict=True)

    def __truediv__(self, other: "Operand") -> sympy.Expr:
        return self.symbol / sympy.sympify(other, strict=True)

    def __rtruediv__(self, other: "Operand") -> sympy.Expr:
        return sympy.sympify(other, strict=True) / self.symbol

    def __sub__(self, other: "Operand") -> sympy.Expr:
        return self.symbol - sympy.sympify(other, strict=True)

    def __rsub__(self, other: "Operand") -> sympy.Expr:
        return sympy.sympify(other, strict=True) - self.symbol

    def __pow__(self, other: "Operand") -> sympy.Expr:
        return self.symbol ** sympy.sympify(other, strict=True)

    def __rpow__(self, other: "Operand") -> sympy.Expr:
        return sympy.sympify(other, strict=True) ** self.symbol

    def __neg__(self) -> sympy.Expr:
        return -self.symbol

    __radd__ = __add__
    __rmul__ = __mul__


Operand = Symbolic | sympy.Expr | float
"""What a declared quantity can be added to, multiplied with or raised to."""


@dataclass(frozen=True)
class Resource(Symbolic):
    """Something a training run spends, such as parameters or tokens; always positive.

    Parameters
    ----------
    name
        Column name and symbol, e.g. ``"N"``.
    meaning, unit
        Words for tables and error messages.
    typical
        Range of a covariate, such as precision in bits, that describes a run but is not spent;
        None for a size, which may have any value.
    """

    name: str
    meaning: str
    unit: str
    typical: tuple[float, float] | None = None

    @property
    def is_covariate(self) -> bool:
        """Whether it describes a run instead of being spent."""
        return self.typical is not None

    @property
    def symbol(self) -> sympy.Symbol:
        """The positive SymPy symbol of this resource."""
        return sympy.Symbol(self.name, positive=True)


@dataclass(frozen=True)
class Parameter(Symbolic):
    """An unknown of a law.

    Parameters
    ----------
    name
        Its name in the papers, e.g. ``"alpha_N"``.
    role
        What it does; decides its default prior.
    meaning, unit
        Words for tables and error messages.
    domain
        Where it lives.
    typical
        ``(centre, spread)``: the value to expect and the standard deviation of its logarithm (of
        the value itself where the domain is real; in the domain from 0 to 1 the mean and the
        concentration ``alpha + beta`` of a beta distribution), where this law's parameter differs
        from what its role suggests.
    of
        The resource along which a position lies.
    held
        The value at which it is held, as written in a formula, unless a prior says otherwise.
    """

    name: str
    role: Role
    meaning: str
    unit: str = "1"
    domain: Domain = Domain.POSITIVE
    typical: tuple[float, float] | None = None
    of: Resource | None = None
    held: float | None = None

    @property
    def symbol(self) -> sympy.Symbol:
        """The SymPy symbol, positive where the domain is."""
        if self.domain.is_positive:
            return sympy.Symbol(self.name, positive=True)
        return sympy.Symbol(self.name, real=True)


N = Resource("N", "model size", "parameters")
D = Resource("D", "training data", "tokens")
C = Resource("C", "training compute", "FLOP")
U = Resource("U", "unique training data", "tokens")
t = Resource("t", "training time", "steps")
S = Resource("S", "serial training steps", "steps")
B = Resource("B", "batch size", "tokens")
N_v = Resource("N_v", "vocabulary parameters", "parameters")
N_nv = Resource("N_nv", "non-vocabulary parameters", "parameters")
H = Resource("H", "training characters", "characters")
density = Resource("density", "fraction of weights in use", "1", typical=(0.02, 1.0))
experts = Resource("experts", "number of experts", "experts", typical=(1.0, 512.0))
G = Resource("G", "granularity of experts", "1", typical=(1.0, 32.0))
bits = Resource("bits", "precision of the weights", "bits", typical=(3.0, 16.0))
streams = Resource("streams", "parallel streams", "streams", typical=(1.0, 8.0))

COMPUTE_EXPONENT = (0.15, 0.4)
"""Centre and spread of an exponent in compute: half of what one size has.

Where compute is spent on N and D at the best, the loss falls with the exponent
``alpha beta / (alpha + beta)`` (Hoffmann et al. 2022, eq. (4)), half of equal alpha and beta. Over
the published fits of the additive law to seven tables, its logarithm has a mean of log 0.146 and a
standard deviation of 0.27.
"""

RESOURCES: dict[str, Resource] = {
    resource.name: resource
    for resource in (N, D, C, U, t, S, B, N_v, N_nv, H, density, experts, G, bits, streams)
}
"""Every resource a runs table can have a column for."""


def floor(name: str = "E") -> Parameter:
    """Irreducible loss, in nats per token."""
    return Parameter(name, Role.FLOOR, "irreducible loss", "nats/token")


def cap(name: str = "L_0") -> Parameter:
    """Loss without training (for a language model ``ln V``), in nats per token."""
    return Parameter(name, Role.CAP, "loss without training", "nats/token")


def amplitude(name: str, of: Resource, *, unit: str | None = None) -> Parameter:
    """Size of the term of resource `of`; `unit` defaults to one that the exponent sets."""
    unit = unit if unit is not None else f"nats/token * {of.unit}^exponent"
    return Parameter(name, Role.AMPLITUDE, f"amplitude of the {of.meaning} term", unit)


def scale(name: str, of: Resource) -> Parameter:
    """Amplitude written as a critical size (kappa in ``(kappa/R)^alpha``), in units of `of`."""
    return Parameter(name, Role.AMPLITUDE, f"critical {of.meaning}", of.unit)


def exponent(name: str, of: Resource, *, typical: tuple[float, float] | None = None) -> Parameter:
    """Resolution-limited exponent of resource `of`; in compute `COMPUTE_EXPONENT` is typical."""
    if typical is None and of.unit == C.unit:
        typical = COMPUTE_EXPONENT
    return Parameter(
        name, Role.EXPONENT, f"exponent of the loss in {of.meaning}", "1", typical=typical
    )


def position(name: str, of: Resource) -> Parameter:
    """A place along resource `of` where the law changes; expected among the data."""
    return Parameter(name, Role.POSITION, f"{of.meaning} at the change", of.unit, of=of)


def shape(
    name: str,
    meaning: str,
    *,
    typical: tuple[float, float] | None = None,
    domain: Domain = Domain.POSITIVE,
    unit: str = "1",
) -> Parameter:
    """Shape of the crossover between resource-limited regimes."""
    return Parameter(name, Role.SHAPE, meaning, unit, domain, typical)
