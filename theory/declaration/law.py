"""Laws given by a closed formula: as it is written, by a scaling function, or by a crossover."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, final

import numpy as np
import sympy

from theory.declaration.abstract_law import AbstractLaw
from theory.declaration.cdf import generator_of, proves_cdf, require_cdf, samples
from theory.declaration.links import Identity
from theory.declaration.logdomain import log_value
from theory.declaration.namespace import Elementary, Environment, Numeric
from theory.declaration.symbols import Resource
from theory.declaration.terms import AbstractSplit, Generator, Term, decompose
from theory.errors import LawError


@final
@dataclass(frozen=True, kw_only=True)
class Law(AbstractLaw):
    r"""A law given by a closed formula.

    Parameters
    ----------
    formula
        SymPy expression of the loss in the resources and parameters; for a law on another scale
        than ``L - E`` give `kernel` and `link` instead.
    kernel
        What the link acts on.
    made_of
        How the amplitudes set the kernel, where it is not a power of a sum of terms.

    Raises
    ------
    LawError
        If the formula and the declared names do not match.

    Examples
    --------
    >>> from theory import laws
    >>> laws.chinchilla.latex()
    'L = E + A N^{- \\alpha} + B D^{- \\beta}'
    """

    formula: sympy.Expr = field(default=sympy.S.NaN, hash=False)
    kernel: sympy.Expr = field(default=sympy.S.NaN, hash=False)
    made_of: AbstractSplit | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        link = self.link or Identity(self.floor)
        if (self.formula is sympy.S.NaN) == (self.kernel is sympy.S.NaN):
            raise LawError(f"law '{self.name}': give either formula= or kernel= with its link=.")
        if self.kernel is sympy.S.NaN:
            object.__setattr__(self, "kernel", link.kernel(self.formula))
        else:
            object.__setattr__(self, "formula", link.loss(self.kernel))
        super().__post_init__()

    @classmethod
    def from_generator(
        cls,
        generator: sympy.Expr,
        x: sympy.Symbol,
        *,
        limits: tuple[Term, Term],
        **declaration: Any,
    ) -> "Law":
        """The law ``l_1 W(x)``, ``x = (l_2/l_1)^(1/alpha_2)``: every solution of the equation.

        With inverse sizes n and d, ``l_1 = n^alpha_N`` and ``x = d/n^(alpha_N/alpha_D)``.

        Parameters
        ----------
        generator, x
            ``W(x)`` and its variable.
        limits
            The two single-resource losses (`theory.declaration.terms.limit`); W(0) = 1 and
            ``W ~ x^alpha_2`` make them the limits of the law.
        **declaration
            The other fields of a law; `weights` follow from the limits.

        Examples
        --------
        >>> from theory import symbols as s
        >>> from theory.declaration.terms import limit
        >>> x = sympy.Symbol("x", positive=True)
        >>> a, b = s.amplitude("A", of=s.N), s.amplitude("B", of=s.D)
        >>> alpha, beta = s.exponent("alpha", of=s.N), s.exponent("beta", of=s.D)
        >>> law = Law.from_generator(
        ...     1 + x**beta.symbol, x, limits=(limit(a, alpha, s.N), limit(b, beta, s.D)),
        ...     name="additive", title="", source="", citation="",
        ...     resources=(s.N, s.D), parameters=(a, b, alpha, beta),
        ... )
        >>> float(law.loss(N=1e4, D=1e4, A=10.0, B=10.0, alpha=0.25, beta=0.25))
        2.0
        """
        first, second = limits
        (resource_1,), (resource_2,) = first.orders, second.orders
        exponent = second.orders[resource_2]
        ratio = sympy.Symbol("ratio", positive=True)
        in_ratio: Any = sympy.powdenest(generator.subs(x, ratio ** (1 / exponent)))
        places = {ratio: second.expression / first.expression}
        proof = "the kernel is a power of one size times a function of the invariant ratio."
        declared = {
            "weights": {resource_1: first.orders[resource_1], resource_2: exponent},
            "by_construction": {"A0": proof},
            **declaration,
        }
        return cls(
            kernel=first.expression * in_ratio.subs(places),
            link=declared.pop("link", None) or Identity(declared.get("floor")),
            made_of=Generator(limits, in_ratio, ratio),
            **declared,
        )

    @classmethod
    def from_crossover(
        cls, cdf: sympy.Expr, u: sympy.Symbol, *, limits: tuple[Term, Term], **declaration: Any
    ) -> "Law":
        """The law whose crossover has the distribution F: ``ln W = alpha_2 int_{-oo}^{ln x} F``.

        It satisfies A0 to A3 by construction: ``w' = alpha_2 F`` lies between 0 and alpha_2, which
        is monotonicity, and rises, which is convexity (`theory.declaration.cdf`). A mixture of
        logistic steps with positive weights is a CDF for all parameters; of any other F that is
        known only at samples, so A1 to A3 are then left to the search of
        `theory.admissibility.admissible`.

        Parameters
        ----------
        cdf, u
            ``F(u)`` and its variable, ``u = ln x``.
        limits, **declaration
            As in `from_generator`.

        Raises
        ------
        LawError
            If F is not a CDF at sample parameters, or its integral is not known.
        """
        x = sympy.Symbol("x", positive=True)
        (exponent,) = limits[1].orders.values()
        parameters = declaration["parameters"]
        require_cdf(cdf, u, parameters)
        reason = "the crossover has a cumulative distribution function F, so {}."
        proofs = {
            "A0": reason.format("the kernel is a size's power times a function of x"),
            "A1": reason.format("W(0) = 1 and W ~ x^alpha_2 up to a constant"),
            "A2": reason.format("0 <= w' = alpha_2 F <= alpha_2"),
            "A3": reason.format("w'' = alpha_2 F' >= 0"),
        }
        made = generator_of(cdf, u, x, exponent)
        log_value(made, {**samples(parameters)[0], x.name: 0.0}, np)  # refuses what has no rule
        proved = tuple(proofs) if proves_cdf(cdf, u, parameters) else ("A0",)
        known = {"by_construction": {code: proofs[code] for code in proved}}
        return cls.from_generator(made, x, limits=limits, **{**known, **declaration})

    @property
    def relation(self) -> sympy.Expr:
        """The kernel."""
        return self.kernel

    @property
    def degree(self) -> int:
        """1: the kernel itself is what scales."""
        return 1

    @cached_property
    def split(self) -> AbstractSplit:
        """The split as declared, otherwise as read from the kernel."""
        if self.made_of is not None:
            return self.made_of
        return decompose(self.kernel, resources=self.resources, parameters=self.parameters)

    def log_kernel(
        self, parameters: Environment, log_resources: Environment, ops: Elementary
    ) -> Numeric:
        """Logarithm of the kernel; see `AbstractLaw.log_kernel`."""
        return log_value(self.kernel, {**parameters, **log_resources}, ops)

    def log_loss(self, parameters: Environment, log_resources: Environment, ops: Elementary) -> Any:
        """Logarithm of the loss; see `AbstractLaw.log_loss`."""
        return log_value(self.formula, {**parameters, **log_resources}, ops)

    def elasticity_expressions(self) -> dict[Resource, sympy.Expr]:
        """``-(R / kernel) d kernel / d R``."""
        return {
            r: -r.symbol * sympy.diff(self.kernel, r.symbol) / self.kernel for r in self.resources
        }

    def latex(self) -> str:
        """The formula in LaTeX, floor first, then the terms in the order of the resources."""
        return self.written[1] if self.written else f"L = {self._ordered(sympy.latex)}"

    def formula_text(self) -> str:
        """The formula in one line, floor first, then the terms in the order of the resources."""
        return self.written[0] if self.written else self._ordered(sympy.sstr)

    def _ordered(self, show: Callable[..., str]) -> str:
        parts = self._in_order(self.formula)
        return show(sympy.Add(*parts, evaluate=False), order="none")
