"""The spectrum of a task: eigenvalues of its kernel, and the target's power in each mode.

With features ``psi ~ N(0, diag(lambda_k))`` and a target ``y = w* . psi`` a linear model sees the
task through ``lambda_k`` and ``p_k = lambda_k w*_k^2`` only, and these through sums over modes such
as the effective dimension ``df1(kappa) = sum_k lambda_k/(lambda_k + kappa)``. A spectrum therefore
gives nodes: about a hundred eigenvalues, powers and counts whose sums are those over all modes.
"""

import math
from dataclasses import dataclass, field, fields, replace
from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Inexact
from numpy.typing import ArrayLike

from theory.errors import TheoryError
from theory.learning.mode_quadrature import chebyshev_tail, compress, octave_rule
from theory.learning.mode_sums import (
    OnePoint,
    TwoPoint,
    divided_differences,
    effective_dimension,
    one_point,
    resolvent,
    scale_of_rank,
    two_point,
)
from theory.learning.task import AbstractSpectrum

__all__ = [
    "AbstractSpectrum",
    "Measured",
    "OnePoint",
    "PowerLaw",
    "SpectrumError",
    "TwoPoint",
    "divided_differences",
    "effective_dimension",
    "one_point",
    "resolvent",
    "scale_of_rank",
    "two_point",
]

TAIL = 6
"""Nodes for the modes beyond `PowerLaw.reach`."""

REACH = 2**30
"""Default of `PowerLaw.reach`, for tasks with infinitely many modes."""

LARGEST = 2**62
"""The largest number of modes that can be counted."""


class SpectrumError(TheoryError):
    """A spectrum no task has."""


def _as_pytree(cls: type) -> type:
    """Register a frozen dataclass; fields marked static are part of the type, others leaves."""
    leaves = [f.name for f in fields(cls) if not f.metadata.get("static")]
    static = [f.name for f in fields(cls) if f.metadata.get("static")]

    def flatten(it: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        return tuple(getattr(it, n) for n in leaves), tuple(getattr(it, n) for n in static)

    def unflatten(aux: tuple[Any, ...], children: Any) -> Any:
        made = object.__new__(cls)  # leaves may be tracers or placeholders: nothing to check
        for name, value in (*zip(leaves, children, strict=True), *zip(static, aux, strict=True)):
            object.__setattr__(made, name, value)
        return made

    jax.tree_util.register_pytree_node(cls, flatten, unflatten)
    return cls


@final
@_as_pytree
@dataclass(frozen=True)
class PowerLaw:
    r"""``lambda_k = k^-b`` and ``p_k = k^-a`` for k = 1 .. modes.

    Parameters
    ----------
    a
        Exponent of the target's power; above 1 where there are infinitely many modes. A number, or
        an array or a traced value, of which every element is a task.
    b
        Exponent of the eigenvalues (the capacity, or source-condition, exponent); likewise.
    modes
        Number of modes; None for infinitely many.
    reach
        The first modes by octaves, up to this one; the rest as a tail, in nodes at which the
        moments of lambda and p are exact. Sums are exact while ``lambda_reach < kappa/30``, that
        is for scales of modes up to about reach/32.
    order
        Nodes an octave. The error of a sum ``sum p/(lambda + kappa)`` relative to its value, for
        b up to 2 and arg kappa up to 2.3, is below 2e-4 (order 4), 1e-6 (6), 1e-7 (8) and 2e-10
        (12); at b = 1.25 below 1e-5, 2e-8, 1e-10 and 1e-10.

    Raises
    ------
    SpectrumError
        If exponents or numbers of modes are out of range (checked where they are numbers).

    Examples
    --------
    >>> task = PowerLaw(a=1.5, b=1.25)
    >>> task.eigenvalues.shape, round(float((task.counts * task.powers).sum()), 8)
    ((230,), 2.61237535)
    >>> PowerLaw(a=1.5, b=1.25, modes=800).counts.sum().round(9).item()
    800.0
    """

    a: Any
    b: Any
    modes: int | None = field(default=None, metadata={"static": True})
    reach: int = field(default=REACH, metadata={"static": True})
    order: int = field(default=8, metadata={"static": True})

    def __post_init__(self) -> None:
        for name in ("a", "b"):
            value = getattr(self, name)
            if isinstance(value, Tracer):
                continue
            values = np.asarray(value)
            if values.dtype.kind not in "iuf" or not np.all(np.isfinite(values)):
                raise SpectrumError(
                    f"exponent {name} must be a finite number or an array of them; got {value!r}."
                )
            if self.modes is None and np.any(values <= 1):
                raise SpectrumError(
                    f"exponent {name} must exceed 1 with infinitely many modes, or the sum over "
                    f"modes diverges; got {values.min()}. Pass modes= for a finite number."
                )
            if np.any(values < 0):
                raise SpectrumError(
                    f"exponent {name} must not be negative: modes are ordered by falling "
                    f"eigenvalue and power; got {values.min()}."
                )
        if self.modes is not None and not 1 <= self.modes <= LARGEST:
            raise SpectrumError(
                f"modes must be an integer from 1 to 2^62, or None for infinitely many; got "
                f"{self.modes}."
            )
        if not 16 <= self.reach <= LARGEST or not 2 <= self.order <= 24:
            raise SpectrumError(
                "reach must be from 16 to 2^62 and order from 2 to 24; got "
                f"reach={self.reach}, order={self.order}."
            )

    @property
    def eigenvalues(self) -> Float[Array, "*batch node"]:
        """``lambda`` at the nodes, largest first."""
        b = self._exponents()[1]
        head = jnp.exp(-b * self._log_k(b))
        if self.modes is not None:
            return head
        return jnp.concatenate([head, self._tail_eigenvalues(b)], axis=-1)

    @property
    def powers(self) -> Float[Array, "*batch node"]:
        """``p`` at the nodes; at those of the tail of either sign."""
        a, b = self._exponents()
        head = jnp.exp(-a * self._log_k(a))
        if self.modes is not None:
            return head
        tail = self._tail_weights(a, b) / self._tail_counts(b)
        head = jnp.broadcast_to(head, (*tail.shape[:-1], head.shape[-1]))
        return jnp.concatenate([head, tail], axis=-1)

    @property
    def counts(self) -> Float[Array, "*batch node"]:
        """How many modes each node stands for."""
        b = self._exponents()[1]
        head = jnp.asarray(octave_rule(self._last, self.order)[1], dtype=b.dtype)
        if self.modes is not None:
            return jnp.broadcast_to(head, (*b.shape[:-1], len(head)))
        tail = self._tail_counts(b)
        return jnp.concatenate([jnp.broadcast_to(head, (*tail.shape[:-1], len(head))), tail], -1)

    @property
    def _last(self) -> int:
        return self.reach if self.modes is None else self.modes

    def _exponents(self) -> tuple[Array, Array]:
        """A and b as arrays of one floating type, with a last axis for nodes."""
        a, b = jnp.asarray(self.a), jnp.asarray(self.b)
        kind = jnp.result_type(a, b, float if a.dtype.kind != "f" and b.dtype.kind != "f" else a)
        return a.astype(kind)[..., None], b.astype(kind)[..., None]

    def _log_k(self, like: Array) -> Array:
        log_k = jnp.asarray(octave_rule(self._last, self.order)[0], dtype=like.dtype)
        return log_k.reshape((1,) * (like.ndim - 1) + log_k.shape)

    def _tail_eigenvalues(self, b: Array) -> Array:
        y = jnp.asarray(chebyshev_tail(TAIL)[0], dtype=b.dtype)
        y = y.reshape((1,) * (b.ndim - 1) + y.shape)
        return y * jnp.exp(-b * math.log(self.reach + 0.5))

    def _tail_counts(self, b: Array) -> Array:
        return self._tail_weights(b, b) / self._tail_eigenvalues(b)

    def _tail_weights(self, exponent: Array, b: Array) -> Array:
        """Weights of ``sum_{k > reach} k^-exponent g(lambda_k/lambda_reach)``, from moments.

        ``sum_{k>K} k^-s = x^(1-s) [1/(s-1) - s/(24 x^2)]``, x = K + 1/2 (Euler and Maclaurin).
        """
        x = self.reach + 0.5
        s = exponent + b * jnp.arange(float(TAIL), dtype=b.dtype).reshape(
            (1,) * (b.ndim - 1) + (TAIL,)
        )
        moments = jnp.exp((1 - exponent) * math.log(x)) * (1 / (s - 1) - s / (24 * x**2))
        matrix = jnp.asarray(chebyshev_tail(TAIL)[1], dtype=b.dtype)
        return jnp.einsum("ij,...j->...i", matrix, moments, precision="highest")

    def eigenvalues_of(self, k: ArrayLike) -> Array:
        """``lambda_k`` of single modes, numbered from 1."""
        return jnp.asarray(k, dtype=float) ** -jnp.asarray(self.b, dtype=float)

    def raised(self, power: float) -> "PowerLaw":
        """The spectrum ``lambda^power`` with the same powers p."""
        return replace(self, b=self.b * power)

    def resolved(self, *, mode: float, accuracy: float) -> "PowerLaw":
        """The same task with nodes for scales of modes up to `mode`, at a relative accuracy."""
        steepness = float(np.max(np.asarray(self.b)))
        wanted = 2.0 - 0.55 * math.log10(accuracy) + 1.8 * max(0.0, steepness - 1.25)
        order = next((n for n in (4, 6, 8, 12) if n >= wanted), 16)  # few shapes, few programs
        octaves = 4 * math.ceil(math.log2(max(mode, 8.0)) / 4 + 1.5)
        return replace(self, reach=2 ** min(octaves, 60), order=order)


@final
@_as_pytree
@dataclass(frozen=True)
class Measured:
    r"""A spectrum that was measured: one eigenvalue and one power for every mode.

    Parameters
    ----------
    given_eigenvalues, given_powers
        ``lambda_k >= 0`` and ``p_k = lambda_k w*_k^2 >= 0`` of every mode, in any order.
    order
        Nodes for each factor of two in lambda, below the largest 32 modes. The error of a sum
        ``sum p/(lambda + kappa)`` relative to its value is below 1e-7 at the default, whatever
        the powers, for arg kappa up to 2.3; 0 keeps every mode, and then values may be traced.

    Raises
    ------
    SpectrumError
        If arrays differ in length, or values are negative, not finite or all zero.

    Examples
    --------
    >>> k = np.arange(1.0, 100_001.0)
    >>> task = Measured(k**-1.25, k**-1.5)
    >>> task.eigenvalues.shape[0] < 400, round(float((task.counts * task.powers).sum()), 6)
    (True, 2.606051)
    """

    given_eigenvalues: Any
    given_powers: Any
    order: int = field(default=12, metadata={"static": True})
    _nodes: Any = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if not 0 <= self.order <= 24:
            raise SpectrumError(f"order must be from 0 to 24; got {self.order}.")
        if any(isinstance(x, Tracer) for x in (self.given_eigenvalues, self.given_powers)):
            if self.order:
                raise SpectrumError(
                    "a traced spectrum cannot be compressed; pass order=0 to keep every mode."
                )
            object.__setattr__(self, "_nodes", _every(self.given_eigenvalues, self.given_powers))
            return
        lam = np.asarray(self.given_eigenvalues, dtype=float)
        p = np.asarray(self.given_powers, dtype=float)
        if lam.ndim != 1 or lam.shape != p.shape or not len(lam):
            raise SpectrumError(
                "eigenvalues and powers must be two lists of one length, one entry a mode; got "
                f"shapes {lam.shape} and {p.shape}."
            )
        for name, values in (("eigenvalues", lam), ("powers", p)):
            bad = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
            if len(bad):
                raise SpectrumError(
                    f"{name} must be finite and not negative; mode {bad[0]} has {values[bad[0]]}. "
                    "Drop such modes, or set them to zero."
                )
        if not lam.any():
            raise SpectrumError("every eigenvalue is zero; a task needs at least one above zero.")
        if self.order:
            found = compress(lam, p, order=self.order, kept=32)
            object.__setattr__(self, "_nodes", tuple(map(jnp.asarray, found)))
        else:
            kept = _every(jnp.asarray(self.given_eigenvalues), jnp.asarray(self.given_powers))
            object.__setattr__(self, "_nodes", kept)

    @property
    def modes(self) -> int:
        """Number of modes."""
        return len(self.given_eigenvalues)

    @property
    def eigenvalues(self) -> Inexact[Array, "node"]:
        """``lambda`` at the nodes."""
        return self._nodes[0]

    @property
    def powers(self) -> Inexact[Array, "node"]:
        """``p`` at the nodes."""
        return self._nodes[1]

    @property
    def counts(self) -> Inexact[Array, "node"]:
        """How many modes each node stands for."""
        return self._nodes[2]

    def eigenvalues_of(self, k: ArrayLike) -> Array:
        """``lambda_k`` of single modes, numbered from 1 in the order given."""
        return jnp.asarray(self.given_eigenvalues)[jnp.asarray(k) - 1]

    def raised(self, power: float) -> "Measured":
        """The spectrum ``lambda^power`` with the same powers p."""
        return Measured(jnp.asarray(self.given_eigenvalues) ** power, self.given_powers, self.order)

    def resolved(self, *, mode: float, accuracy: float) -> "Measured":
        """The same: its nodes do not depend on the question."""
        del mode, accuracy
        return self


def _every(eigenvalues: Array, powers: Array) -> tuple[Array, Array, Array]:
    return eigenvalues, powers, jnp.ones_like(eigenvalues)
