"""How a law's amplitudes set its kernel: one amplitude to a term, and the terms' shares.

Pivot coordinates (`theory.declaration.chart`) replace the amplitudes of a law by the kernel at the
pivot and by shares of it. A split is the map between the two; there is one class a way in which a
kernel is put together:

- `Decomposition`, ``kernel = (sum of terms)^outer``: power laws, Chinchilla, Kaplan, the CES law;
- `Contour`, ``sum of terms(R, kernel) = 1``: implicit laws;
- `Generator`, ``kernel = l_1 W(l_2 / l_1)`` of two single-resource losses.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import Any, ClassVar, final

import sympy

from theory.declaration.logdomain import log_value, value
from theory.declaration.namespace import Elementary, Environment, Numeric
from theory.declaration.symbols import Parameter, Resource, Role
from theory.errors import LawError

STEPS = 8
"""Newton steps for an implicit law; four reach rounding for the share law over 14 decades."""


@dataclass(frozen=True)
class Term:
    """One term ``amplitude^power * rest`` of a law.

    Parameters
    ----------
    label
        Names of the resources in the term, e.g. ``"N"``; with the amplitude where two terms have
        the same resources.
    amplitude
        The one amplitude parameter in it.
    power
        Its exponent.
    rest
        The term without its amplitude.
    orders
        For each resource in the term the rate ``rho`` at which it falls: ``term ~ R^-rho``.
    loose
        Resources that stand in it otherwise than as a power, so that `orders` does not tell all.
    """

    label: str
    amplitude: Parameter
    power: sympy.Expr
    rest: sympy.Expr
    orders: Mapping[Resource, sympy.Expr]
    loose: frozenset[Resource] = frozenset()

    @property
    def expression(self) -> sympy.Expr:
        """The term."""
        return self.amplitude.symbol**self.power * self.rest

    def log_amplitude(self, log_term: Numeric, env: Environment, ops: Elementary) -> Numeric:
        """Log of the amplitude that gives the term a value, at the resources in `env`."""
        log_rest = log_value(self.rest, env, ops)
        return (log_term - log_rest) / value(self.power, env, ops)

    def log_value(self, env: Environment, ops: Elementary) -> Numeric:
        """Log of the term; `env` has the log of the amplitude."""
        log_amplitude = env[self.amplitude.name]
        return value(self.power, env, ops) * log_amplitude + log_value(self.rest, env, ops)


@dataclass(frozen=True)
class AbstractSplit(ABC):
    """The map between a kernel with its shares and the amplitudes of a law.

    Parameters
    ----------
    terms
        One term an amplitude; there is a share for each but the last.
    """

    terms: tuple[Term, ...]

    whole: ClassVar[str]
    """What the shares are shares of, in words."""

    explicit: ClassVar[bool] = False
    """Whether each term is known from its amplitude, without the kernel."""

    @abstractmethod
    def log_kernel(self, env: Environment, ops: Elementary) -> Numeric:
        """Log of the kernel at the resources and parameters in `env`."""

    @abstractmethod
    def to_amplitudes(
        self, log_kernel: Numeric, log_shares: Sequence[Numeric], env: Environment, ops: Elementary
    ) -> dict[str, Numeric]:
        """Log of each amplitude by name, from the log of the kernel and of each term's share."""

    @abstractmethod
    def to_shares(
        self, log_kernel: Numeric, env: Environment, ops: Elementary
    ) -> tuple[Numeric, ...]:
        """Log of each term's share, at a kernel and amplitudes that belong together."""


@final
@dataclass(frozen=True)
class Decomposition(AbstractSplit):
    """``kernel = (terms[0] + terms[1] + ...)^outer``."""

    outer: sympy.Expr

    whole: ClassVar[str] = "the reducible loss"
    explicit: ClassVar[bool] = True

    def log_kernel(self, env: Environment, ops: Elementary) -> Numeric:
        """``outer * log(sum of terms)``."""
        log_terms = [term.log_value(env, ops) for term in self.terms]
        return value(self.outer, env, ops) * reduce(ops.logaddexp, log_terms)

    def to_amplitudes(
        self, log_kernel: Numeric, log_shares: Sequence[Numeric], env: Environment, ops: Elementary
    ) -> dict[str, Numeric]:
        """Each term is its share of ``kernel^(1/outer)``."""
        log_sum = log_kernel / value(self.outer, env, ops)
        return {
            term.amplitude.name: term.log_amplitude(log_sum + log_share, env, ops)
            for term, log_share in zip(self.terms, log_shares, strict=True)
        }

    def to_shares(
        self, log_kernel: Numeric, env: Environment, ops: Elementary
    ) -> tuple[Numeric, ...]:
        """Each term over their sum."""
        log_terms = [term.log_value(env, ops) for term in self.terms]
        log_sum = reduce(ops.logaddexp, log_terms)
        return tuple(log_term - log_sum for log_term in log_terms)


@final
@dataclass(frozen=True)
class Contour(AbstractSplit):
    """``terms[0] + terms[1] + ... = 1`` with terms that fall with the kernel.

    Parameters
    ----------
    terms
        Terms whose ``rest`` contains the kernel.
    kernel
        The symbol of the kernel in them.
    """

    kernel: sympy.Symbol

    whole: ClassVar[str] = "the contour"

    @cached_property
    def _total_and_fall(self) -> tuple[sympy.Expr, sympy.Expr]:
        """The sum of terms, and minus its slope in the log of the kernel, with positive terms."""
        total = sympy.Add(*(term.expression for term in self.terms))
        slopes = sympy.Add.make_args(sympy.expand_mul(sympy.diff(total, self.kernel)))
        return total, sympy.Add(*(-self.kernel * slope for slope in slopes))

    def log_kernel(self, env: Environment, ops: Elementary) -> Numeric:
        """Solve for ``l = log kernel`` by Newton's method on ``g(l) = log(sum of terms)``.

        g falls, and is convex for terms that are powers of posynomials, so a step from anywhere
        lands left of the root and the rest converge from there. It begins where the largest term
        that is a power of the kernel alone reaches 1, which is left of the root. The steps are
        unrolled, so that the result is differentiable to any order.
        """
        total, falling = self._total_and_fall
        start: Any = None
        for term in self.terms:
            power = monomial_powers(term.rest).get(self.kernel)
            if power is not None:
                log_term = term.log_value({**env, self.kernel.name: 0.0}, ops)
                reached = log_term / value(-power, env, ops)
                start = reached if start is None else ops.maximum(start, reached)
        log_kernel = start
        for _ in range(getattr(ops, "newton_steps", STEPS)):
            here = {**env, self.kernel.name: log_kernel}
            log_total = log_value(total, here, ops)
            log_kernel = log_kernel + log_total * ops.exp(log_total - log_value(falling, here, ops))
        return log_kernel

    def to_amplitudes(
        self, log_kernel: Numeric, log_shares: Sequence[Numeric], env: Environment, ops: Elementary
    ) -> dict[str, Numeric]:
        """Each term is its share of 1."""
        here = {**env, self.kernel.name: log_kernel}
        return {
            term.amplitude.name: term.log_amplitude(log_share, here, ops)
            for term, log_share in zip(self.terms, log_shares, strict=True)
        }

    def to_shares(
        self, log_kernel: Numeric, env: Environment, ops: Elementary
    ) -> tuple[Numeric, ...]:
        """Each term itself."""
        here = {**env, self.kernel.name: log_kernel}
        return tuple(term.log_value(here, ops) for term in self.terms)


@final
@dataclass(frozen=True)
class Generator(AbstractSplit):
    """``kernel = l_1 W(l_2 / l_1)`` with two single-resource losses ``l_i = A_i R_i^-alpha_i``.

    The shares are ``l_i / (l_1 + l_2)``: which resource is the scarcer.

    Parameters
    ----------
    terms
        The two single-resource losses.
    generator
        ``W`` as an expression in `ratio` and shape parameters.
    ratio
        The symbol of ``l_2 / l_1`` in it.
    """

    generator: sympy.Expr
    ratio: sympy.Symbol

    whole: ClassVar[str] = "the two single-resource losses"
    explicit: ClassVar[bool] = True

    def log_kernel(self, env: Environment, ops: Elementary) -> Numeric:
        """``log l_1 + log W(l_2 / l_1)``."""
        log_first, log_second = (term.log_value(env, ops) for term in self.terms)
        at = {**env, self.ratio.name: log_second - log_first}
        return log_first + log_value(self.generator, at, ops)

    def to_amplitudes(
        self, log_kernel: Numeric, log_shares: Sequence[Numeric], env: Environment, ops: Elementary
    ) -> dict[str, Numeric]:
        """``l_1 = kernel / W(ratio of the shares)``."""
        log_ratio = log_shares[1] - log_shares[0]
        log_first = log_kernel - log_value(self.generator, {**env, self.ratio.name: log_ratio}, ops)
        logs = (log_first, log_first + log_ratio)
        return {
            term.amplitude.name: term.log_amplitude(log_limit, env, ops)
            for term, log_limit in zip(self.terms, logs, strict=True)
        }

    def to_shares(
        self, log_kernel: Numeric, env: Environment, ops: Elementary
    ) -> tuple[Numeric, ...]:
        """Each single-resource loss over their sum."""
        log_limits = [term.log_value(env, ops) for term in self.terms]
        log_sum = reduce(ops.logaddexp, log_limits)
        return tuple(log_limit - log_sum for log_limit in log_limits)


def limit(amplitude: Parameter, exponent: Parameter, resource: Resource) -> Term:
    """The single-resource loss ``amplitude * R^-exponent``."""
    rest = resource.symbol**-exponent.symbol
    orders = {resource: exponent.symbol}
    return Term(resource.name, amplitude, sympy.Integer(1), rest, orders)


def decompose(
    kernel: sympy.Expr,
    *,
    resources: Sequence[Resource],
    parameters: Sequence[Parameter],
) -> Decomposition:
    """Read a kernel as (sum of terms)^outer with one amplitude to a term.

    Raises
    ------
    LawError
        If a term has no amplitude or several.
    """
    outer: sympy.Expr = sympy.Integer(1)
    if isinstance(kernel, sympy.Pow) and isinstance(kernel.base, sympy.Add):
        kernel, outer = kernel.base, kernel.exp
    terms = read_terms(kernel, resources=resources, parameters=parameters)
    return Decomposition(terms, outer)


def read_terms(
    expr: sympy.Expr, *, resources: Sequence[Resource], parameters: Sequence[Parameter]
) -> tuple[Term, ...]:
    """The terms of a sum, in the order of their resources; see `decompose`."""
    amplitudes = {p.symbol: p for p in parameters if p.role is Role.AMPLITUDE}
    by_symbol = {r.symbol: r for r in resources}
    terms = [_term(part, amplitudes, by_symbol) for part in sympy.Add.make_args(expr)]
    carried = [term.amplitude for term in terms]
    for parameter in amplitudes.values():
        if carried.count(parameter) != 1:
            where = "no term" if parameter not in carried else "several terms"
            raise LawError(
                f"amplitude {parameter.name} is declared but stands in {where} of '{expr}'; pivot "
                "coordinates need it in exactly one, so declare it with role SHAPE."
            )
    terms.sort(key=lambda term: [i for i, r in enumerate(resources) if _has(term, r)])
    labels = [term.label for term in terms]
    return tuple(
        replace(term, label=f"{term.label}_{term.amplitude.name}")
        if labels.count(term.label) > 1
        else term
        for term in terms
    )


def _has(term: Term, resource: Resource) -> bool:
    return resource.symbol in term.rest.free_symbols


def _term(
    expr: sympy.Expr,
    amplitudes: Mapping[sympy.Symbol, Parameter],
    resources: Mapping[sympy.Symbol, Resource],
) -> Term:
    if expr.as_coeff_Mul()[0].is_negative:
        raise LawError(
            f"the term '{expr}' is subtracted, but pivot coordinates share the kernel among "
            "positive terms; declare its amplitude with role SHAPE."
        )
    powers = monomial_powers(expr)
    here = [symbol for symbol in powers if symbol in amplitudes]
    if len(here) != 1:
        raise LawError(
            f"the term '{expr}' has {len(here)} amplitudes, but pivot coordinates need exactly "
            "one in each term; declare the other factors with role SHAPE or EXPONENT."
        )
    orders = {resource: -powers[s] for s, resource in resources.items() if s in powers}
    amplitude: Any = here[0]
    rest = sympy.Mul(*[base**power for base, power in powers.items() if base != amplitude])
    if amplitude in rest.free_symbols:
        raise LawError(
            f"amplitude {amplitude} stands twice in the term '{expr}'; pivot coordinates need it "
            "as one factor, so declare it with role SHAPE."
        )
    within = [r for s, r in resources.items() if s in rest.free_symbols]
    others = [base for base in powers if base not in amplitudes and base not in resources]
    exponents = list(powers.values())
    bound = set().union(*(part.free_symbols for part in [*others, *exponents]))
    loose = frozenset(resource for symbol, resource in resources.items() if symbol in bound)
    names = [resource.name for resource in within] or [amplitude.name]
    label = ("" if all(len(name) == 1 for name in names) else "_").join(names)
    return Term(label, amplitudes[amplitude], powers[amplitude], rest, orders, loose)


def monomial_powers(expr: sympy.Expr) -> dict[sympy.Expr, sympy.Expr]:
    """Exponent of each factor of a product, nested powers multiplied out."""
    found: dict[sympy.Expr, sympy.Expr] = {}
    for factor in sympy.Mul.make_args(expr):
        base, power = factor.as_base_exp()
        inner = monomial_powers(base) if isinstance(base, sympy.Mul | sympy.Pow) else {base: 1}
        for symbol, exponent in inner.items():
            found[symbol] = found.get(symbol, sympy.Integer(0)) + exponent * power
    return found
