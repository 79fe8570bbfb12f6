"""Laws given implicitly, by a contour ``Phi(R, kernel) = 1``."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import final

import sympy

from theory.declaration.abstract_law import KERNEL, AbstractLaw
from theory.declaration.namespace import Elementary, Environment, Numeric
from theory.declaration.symbols import Resource
from theory.declaration.terms import Contour, monomial_powers, read_terms
from theory.errors import LawError


@final
@dataclass(frozen=True, kw_only=True)
class ContourLaw(AbstractLaw):
    """A law given implicitly: ``contour(R, ell) = 1`` has the kernel as its one solution.

    Parameters
    ----------
    contour
        A sum of terms, each with one amplitude, that fall with `KERNEL`.

    Raises
    ------
    LawError
        If the contour and the declared names do not match, or a term has no amplitude.
    """

    contour: sympy.Expr = field(hash=False)

    def __post_init__(self) -> None:
        for part in sympy.Add.make_args(self.contour):
            if monomial_powers(part).get(KERNEL, sympy.S.Zero).is_negative is not True:
                raise LawError(
                    f"law '{self.name}': the term '{part}' of the contour must have a negative "
                    "power of the kernel as a factor, or the contour may have no solution."
                )
        super().__post_init__()

    @property
    def relation(self) -> sympy.Expr:
        """The contour."""
        return self.contour

    @property
    def degree(self) -> int:
        """0: the contour is invariant where sizes and kernel scale together."""
        return 0

    @cached_property
    def split(self) -> Contour:
        """The terms of the contour."""
        terms = read_terms(self.contour, resources=self.resources, parameters=self.parameters)
        return Contour(terms, KERNEL)

    def log_kernel(
        self, parameters: Environment, log_resources: Environment, ops: Elementary
    ) -> Numeric:
        """Logarithm of the kernel, by Newton's method; see `theory.declaration.terms.Contour`."""
        return self.split.log_kernel({**parameters, **log_resources}, ops)

    def elasticity_expressions(self) -> dict[Resource, sympy.Expr]:
        """Elasticities by implicit differentiation, ``(R dPhi/dR) / (ell dPhi/dell)``."""
        below = KERNEL * sympy.diff(self.contour, KERNEL)
        return {r: r.symbol * sympy.diff(self.contour, r.symbol) / below for r in self.resources}

    def latex(self) -> str:
        """The contour in LaTeX, and how the loss follows from it."""
        terms = sympy.Add(*self._in_order(self.contour), evaluate=False)
        loss = sympy.latex(self.scale.loss(KERNEL), symbol_names={KERNEL: r"\ell"})
        contour = sympy.latex(terms, order="none", symbol_names={KERNEL: r"\ell"})
        return rf"L = {loss}, \quad {contour} = 1"

    def formula_text(self) -> str:
        """The contour in one line, and how the loss follows from it."""
        terms = sympy.Add(*self._in_order(self.contour), evaluate=False)
        return f"{sympy.sstr(self.scale.loss(KERNEL))}, {sympy.sstr(terms, order='none')} = 1"
