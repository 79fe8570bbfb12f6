"""Laws given by a program: a forward model in JAX, such as dynamics integrated in time.

There is no formula, so nothing is proved of such a law: for symbolic work its kernel is the
amplitude times an unknown function of sizes and parameters, and a condition of admissibility is
at best supported by a search in double precision, otherwise unknown. Everything that only
evaluates the law works as for any other.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, final

import numpy as np
import sympy

from theory.declaration.abstract_law import AbstractLaw
from theory.declaration.namespace import Elementary, Environment, Numeric
from theory.declaration.symbols import Parameter, Resource, Role
from theory.declaration.terms import AbstractSplit, Term
from theory.errors import LawError

LogShape = Callable[[Mapping[str, Any], Mapping[str, Any]], Any]
"""From parameters and log resources by name to the log of the kernel at amplitude 1."""


@final
@dataclass(frozen=True, kw_only=True)
class ForwardLaw(AbstractLaw):
    r"""A law given by a JAX function: ``kernel = amplitude * g(resources, parameters)``.

    Parameters
    ----------
    log_shape
        ``(parameters, log_resources) -> log g``: a function that JAX can differentiate. Positive
        parameters come as logarithms, others as they are; the amplitude and what belongs to the
        link (such as the floor) are not among them. All arrays have the same number of axes and
        broadcast; the function acts on each element by itself.

    Raises
    ------
    LawError
        If there is not exactly one parameter with role AMPLITUDE, or a name is declared twice.

    Examples
    --------
    The size of a residual that decays as ``dr/dtau = -r^(1 + 1/alpha)`` for a time N, by Euler
    steps in the log of the time:

    >>> import jax
    >>> import jax.numpy as jnp
    >>> from theory import symbols as s
    >>> def decay(parameters, log_resources):
    ...     rate = jnp.exp(-parameters["alpha"])
    ...     width = log_resources["N"] / 200
    ...     def step(log_r, i):
    ...         return log_r - width * jnp.exp(rate * log_r + width * (i + 0.5)), None
    ...     return jax.lax.scan(step, 0.0 * (width + rate), jnp.arange(200))[0]
    >>> floor, a, alpha = s.floor(), s.amplitude("A", of=s.N), s.exponent("alpha", of=s.N)
    >>> law = ForwardLaw(
    ...     log_shape=decay, name="decay", title="", source="", citation="",
    ...     resources=(s.N,), parameters=(floor, a, alpha), floor=floor,
    ... )
    >>> print(law.formula_text())
    E + A*decay(N, alpha)
    >>> float(law.loss(N=1e6, E=1.0, A=2.0, alpha=0.5).round(3))
    1.001
    """

    log_shape: LogShape
    claims: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        amplitudes = [p.name for p in self.parameters if p.role is Role.AMPLITUDE]
        if len(amplitudes) != 1:
            raise LawError(
                f"law '{self.name}' is given by a program and has {len(amplitudes)} parameters "
                f"with role AMPLITUDE ({', '.join(amplitudes) or 'none'}); declare exactly one, "
                "which multiplies the kernel, and the others with role SHAPE."
            )
        super().__post_init__()

    @cached_property
    def amplitude(self) -> Parameter:
        """The parameter that multiplies the kernel."""
        return next(p for p in self.parameters if p.role is Role.AMPLITUDE)

    @cached_property
    def _inner(self) -> tuple[str, ...]:
        """Names of the parameters on which the shape depends."""
        outer = {self.amplitude, *self.scale.parameters}
        return tuple(p.name for p in self.parameters if p not in outer)

    @cached_property
    def _shape(self) -> sympy.Expr:
        """The kernel at amplitude 1 as an unknown positive function."""
        name = getattr(self.log_shape, "__name__", "g")
        inner = [p.symbol for p in self.parameters if p.name in self._inner]
        unknown: Any = sympy.Function(name if name.isidentifier() else "g", positive=True)
        return unknown(*(r.symbol for r in self.resources), *inner)

    @property
    def relation(self) -> sympy.Expr:
        """The amplitude times an unknown function."""
        return self.amplitude.symbol * self._shape

    @property
    def degree(self) -> int:
        """1: the kernel itself is what scales."""
        return 1

    @cached_property
    def split(self) -> "Forward":
        """One term, the kernel, with the law's one amplitude."""
        term = Term(
            label=self.amplitude.name,
            amplitude=self.amplitude,
            power=sympy.Integer(1),
            rest=self._shape,
            orders={},
            loose=frozenset(self.resources),
        )
        return Forward((term,), self)

    def log_kernel(
        self, parameters: Environment, log_resources: Environment, ops: Elementary
    ) -> Any:
        """Logarithm of the kernel; see `AbstractLaw.log_kernel`."""
        inner = {name: parameters[name] for name in self._inner}
        sizes = {r.name: log_resources[r.name] for r in self.resources}
        return parameters[self.amplitude.name] + self._evaluate(inner, sizes, ops)

    def elasticity_expressions(self) -> dict[Resource, sympy.Expr]:
        """There are none.

        Raises
        ------
        LawError
            Always: a program has no formula to differentiate.
        """
        raise LawError(
            f"law '{self.name}' is given by a program, so its elasticities have no formula; "
            "differentiate log_loss with jax.grad, or write the law as a formula."
        )

    def formula_text(self) -> str:
        """The unknown function in place of the program; laws of different programs differ in it."""
        return self.written[0] if self.written else self._ordered(sympy.sstr)

    def latex(self) -> str:
        """The formula text in LaTeX."""
        return self.written[1] if self.written else f"L = {self._ordered(sympy.latex)}"

    def _ordered(self, show: Callable[..., str]) -> str:
        parts = self._in_order(self.scale.loss(self.relation))
        return show(sympy.Add(*parts, evaluate=False), order="none")

    def _evaluate(self, parameters: Environment, sizes: Environment, ops: Elementary) -> Numeric:
        """Log of the shape, in whichever array library `ops` is."""
        wrap_jax = getattr(ops, "wrap_jax", None)
        if wrap_jax is not None:
            return wrap_jax(self._checked, parameters, sizes)
        if ops is np:
            import jax

            with jax.enable_x64(True):
                return np.asarray(self._compiled(parameters, sizes))
        if getattr(ops, "__name__", "").startswith("jax"):
            return self._checked(parameters, sizes)
        raise LawError(
            f"law '{self.name}' is given by a program in double precision, so it cannot be "
            "evaluated with more digits; write it as a formula where proofs are asked for."
        )

    @cached_property
    def _compiled(self) -> Callable[[Environment, Environment], Any]:
        import jax

        return jax.jit(self._checked)

    def _checked(self, parameters: Environment, sizes: Environment) -> Any:
        """`log_shape` at arrays of one rank; its result has their common shape."""
        import jax.numpy as jnp

        values: list[Any] = [*parameters.values(), *sizes.values()]
        rank = max(map(jnp.ndim, values))

        def lifted(values: Environment) -> dict[str, Any]:
            arrays = {name: jnp.asarray(value, dtype=float) for name, value in values.items()}
            return {n: v.reshape((1,) * (rank - v.ndim) + v.shape) for n, v in arrays.items()}

        inner, outer = lifted(parameters), lifted(sizes)
        found = jnp.asarray(self.log_shape(inner, outer))
        shape = np.broadcast_shapes(*(v.shape for v in (*inner.values(), *outer.values())))
        fits = found.ndim == rank and all(
            n in (1, m) for n, m in zip(found.shape, shape, strict=True)
        )
        if not fits or not jnp.issubdtype(found.dtype, jnp.floating):
            raise LawError(
                f"log_shape of law '{self.name}' returned {found.dtype} of shape {found.shape} for "
                f"inputs that broadcast to {shape}; it must return one real number for each."
            )
        return jnp.broadcast_to(found, shape)


@final
@dataclass(frozen=True)
class Forward(AbstractSplit):
    """``kernel = amplitude * g``: one term, and no share.

    Parameters
    ----------
    law
        The law whose program is evaluated.
    """

    law: ForwardLaw

    whole: ClassVar[str] = "the kernel"

    def log_kernel(self, env: Environment, ops: Elementary) -> Numeric:
        """``log amplitude + log g``."""
        return self.law.log_kernel(env, env, ops)

    def to_amplitudes(
        self, log_kernel: Numeric, log_shares: Sequence[Numeric], env: Environment, ops: Elementary
    ) -> dict[str, Numeric]:
        """The amplitude is the kernel over g."""
        name = self.law.amplitude.name
        return {name: log_kernel - self.law.log_kernel({**env, name: 0.0}, env, ops)}

    def to_shares(
        self, log_kernel: Numeric, env: Environment, ops: Elementary
    ) -> tuple[Numeric, ...]:
        """The one term is all of the kernel."""
        return (0.0 * log_kernel,)
