"""What the sums over modes, and the solvers above them, ask of a task."""

from typing import Protocol, runtime_checkable

from jaxtyping import Array, ArrayLike, Inexact


@runtime_checkable
class AbstractSpectrum(Protocol):
    """What the sums need: nodes with ``sum_k f_k = sum(counts * f)``, along the last axis.

    It holds for ``f_k = lambda_k g(lambda_k)`` and ``f_k = p_k g(lambda_k)``.
    """

    @property
    def eigenvalues(self) -> Inexact[Array, "*batch node"]:
        """``lambda``."""
        ...

    @property
    def powers(self) -> Inexact[Array, "*batch node"]:
        """``p = lambda w*^2``."""
        ...

    @property
    def counts(self) -> Inexact[Array, "*batch node"]:
        """How many modes a node stands for; at the nodes of a tail a weight of either sign."""
        ...


@runtime_checkable
class AbstractTask(AbstractSpectrum, Protocol):
    """A spectrum with modes that can be counted, and nodes that follow the question."""

    @property
    def modes(self) -> int | None:
        """Number of modes; None for infinitely many."""
        ...

    def eigenvalues_of(self, k: ArrayLike) -> Array:
        """``lambda_k`` of single modes, numbered from 1."""
        ...

    def raised(self, power: float) -> "AbstractTask":
        """The spectrum ``lambda^power`` with the same powers p."""
        ...

    def resolved(self, *, mode: float, accuracy: float) -> "AbstractTask":
        """The same task with nodes for scales of modes up to `mode`, at a relative accuracy."""
        ...
