"""Links: the scale on which the scaling equation acts, ``g(L) = kernel``.

For a loss with an irreducible part it is the reducible loss, ``L - E``; a bounded metric obeys
the equation on its odds, others on a power or a logit. One final class a link; the loss and the
kernel are SymPy expressions of each other, so that the same object serves proofs, pivot
coordinates and the compiled law.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import sympy

from theory.declaration.symbols import Parameter


@dataclass(frozen=True)
class AbstractLink(ABC):
    """A smooth increasing map between a kernel, from 0 to infinity, and the loss.

    Parameters
    ----------
    floor
        The loss at kernel 0, or None where it is 0.
    """

    floor: Parameter | None

    @property
    def cap(self) -> Parameter | None:
        """The loss at an infinite kernel; None where the loss is not bounded."""
        return None

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Parameters of the link itself."""
        return tuple(p for p in (self.floor, self.cap) if p is not None)

    @property
    def _floor(self) -> sympy.Expr:
        return self.floor.symbol if self.floor is not None else sympy.Integer(0)

    @abstractmethod
    def loss(self, kernel: sympy.Expr) -> sympy.Expr:
        """The loss of a kernel."""

    @abstractmethod
    def kernel(self, loss: sympy.Expr) -> sympy.Expr:
        """The kernel of a loss; inverse of `loss`."""

    def loss_at_fraction(self, kernel: sympy.Expr, fraction: sympy.Expr) -> sympy.Expr | None:
        """The loss of a kernel where the floor is a fraction of that loss; None where not closed.

        It solves ``kernel(L) = kernel`` with ``E = fraction L``.
        """
        return None


@final
@dataclass(frozen=True)
class Identity(AbstractLink):
    """``L = E + kernel``."""

    def loss(self, kernel: sympy.Expr) -> sympy.Expr:
        """``E + kernel``."""
        return self._floor + kernel

    def kernel(self, loss: sympy.Expr) -> sympy.Expr:
        """``L - E``."""
        return loss - self._floor

    def loss_at_fraction(self, kernel: sympy.Expr, fraction: sympy.Expr) -> sympy.Expr:
        """``kernel/(1 - fraction)``."""
        return kernel / (1 - fraction)


@final
@dataclass(frozen=True)
class Odds(AbstractLink):
    """``(L - E)/(L_0 - L) = kernel``: between E and the loss without training, L_0.

    Parameters
    ----------
    limit
        ``L_0``, the loss without training; ``ln V`` for a vocabulary of V tokens.
    """

    limit: Parameter

    @property
    def cap(self) -> Parameter:
        """``L_0``."""
        return self.limit

    def loss(self, kernel: sympy.Expr) -> sympy.Expr:
        """``(E + L_0 kernel)/(1 + kernel)``."""
        return (self._floor + self.limit * kernel) / (1 + kernel)

    def kernel(self, loss: sympy.Expr) -> sympy.Expr:
        """``(L - E)/(L_0 - L)``."""
        return (loss - self._floor) / (self.limit - loss)

    def loss_at_fraction(self, kernel: sympy.Expr, fraction: sympy.Expr) -> sympy.Expr:
        """``L_0 kernel/(1 - fraction + kernel)``."""
        return self.limit * kernel / (1 - fraction + kernel)


@final
@dataclass(frozen=True)
class Envelope(AbstractLink):
    """``h(L) - h(E) = kernel`` with ``h(L) = L/sqrt(L_0^2 - L^2)``: Rosenfeld et al. 2020, eq. (5).

    The odds on the square of the loss, ``h^2 = L^2/(L_0^2 - L^2)``, shifted by the floor.

    Parameters
    ----------
    limit
        ``L_0``, the error of a random guess.
    """

    limit: Parameter

    @property
    def cap(self) -> Parameter:
        """``L_0``."""
        return self.limit

    def _height(self, loss: sympy.Expr) -> sympy.Expr:
        return loss / sympy.sqrt(self.limit.symbol**2 - loss**2)

    def loss(self, kernel: sympy.Expr) -> sympy.Expr:
        """``L_0 h/sqrt(1 + h^2)`` with ``h = h(E) + kernel``."""
        height = self._height(self._floor) + kernel
        return self.limit * height / sympy.sqrt(1 + height**2)

    def kernel(self, loss: sympy.Expr) -> sympy.Expr:
        """``h(L) - h(E)``."""
        return self._height(loss) - self._height(self._floor)


@final
@dataclass(frozen=True)
class Power(AbstractLink):
    """``L^(1/gamma) - E^(1/gamma) = kernel`` (Droppo and Elibol 2021).

    Parameters
    ----------
    exponent
        ``gamma``.
    """

    exponent: Parameter

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The floor, then the exponent."""
        return (*super().parameters, self.exponent)

    def loss(self, kernel: sympy.Expr) -> sympy.Expr:
        """``(E^(1/gamma) + kernel)^gamma``."""
        return (self._floor ** (1 / self.exponent) + kernel) ** self.exponent.symbol

    def kernel(self, loss: sympy.Expr) -> sympy.Expr:
        """``L^(1/gamma) - E^(1/gamma)``."""
        return loss ** (1 / self.exponent) - self._floor ** (1 / self.exponent)

    def loss_at_fraction(self, kernel: sympy.Expr, fraction: sympy.Expr) -> sympy.Expr:
        """``(kernel/(1 - fraction^(1/gamma)))^gamma``."""
        return (kernel / (1 - fraction ** (1 / self.exponent))) ** self.exponent.symbol


@final
@dataclass(frozen=True)
class Logistic(AbstractLink):
    """``L = E + (L_0 - E)/(1 + exp(centre - slope kernel))``: a task error that saturates.

    The kernel is the pre-training loss on which the error depends, from 0 up, so at kernel 0 the
    error is not E but ``E + (L_0 - E)/(1 + exp(centre))`` (two-stage laws: Gadre et al. 2024).

    Parameters
    ----------
    limit
        ``L_0``, the error of an untrained model.
    slope
        Steepness in the kernel.
    centre
        Position of the step, in units of 1/slope; real.
    """

    limit: Parameter
    slope: Parameter
    centre: Parameter

    @property
    def cap(self) -> Parameter:
        """``L_0``."""
        return self.limit

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The floor, the cap, slope and centre."""
        return (*super().parameters, self.slope, self.centre)

    def loss(self, kernel: sympy.Expr) -> sympy.Expr:
        """``E + (L_0 - E)/(1 + exp(centre - slope kernel))``."""
        falling = sympy.exp(self.centre - self.slope * kernel)
        return (self.limit + self._floor * falling) / (1 + falling)

    def kernel(self, loss: sympy.Expr) -> sympy.Expr:
        """``(centre - ln((L_0 - L)/(L - E)))/slope``."""
        odds = (self.limit - loss) / (loss - self._floor)
        return (self.centre - sympy.log(odds)) / self.slope

    def loss_at_fraction(self, kernel: sympy.Expr, fraction: sympy.Expr) -> sympy.Expr:
        """``L_0/(1 + (1 - fraction) exp(centre - slope kernel))``."""
        falling = sympy.exp(self.centre - self.slope * kernel)
        return self.limit / (1 + (1 - fraction) * falling)
