"""What a formula is evaluated with: a namespace of functions, and the numbers or arrays it takes.

A law is one walk for every array library, so nothing here names one: `numpy`, `jax.numpy`, the
PyTensor functions of bayescale and `theory.admissibility.precision.Precise` are all namespaces.
What a library's functions return is known to that library only, hence `Any`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Numeric(Protocol):
    """A number, or an array of any library: whatever can be added, multiplied and compared."""

    def __add__(self, other: Any, /) -> Any: ...
    def __radd__(self, other: Any, /) -> Any: ...
    def __sub__(self, other: Any, /) -> Any: ...
    def __rsub__(self, other: Any, /) -> Any: ...
    def __mul__(self, other: Any, /) -> Any: ...
    def __rmul__(self, other: Any, /) -> Any: ...
    def __truediv__(self, other: Any, /) -> Any: ...
    def __rtruediv__(self, other: Any, /) -> Any: ...
    def __pow__(self, other: Any, /) -> Any: ...
    def __neg__(self) -> Any: ...
    def __lt__(self, other: Any, /) -> Any: ...
    def __gt__(self, other: Any, /) -> Any: ...


Environment = Mapping[str, Numeric]
"""Name -> array: the logarithm of each positive symbol, the value of every other."""


@runtime_checkable
class Elementary(Protocol):
    """The elementary functions in which laws are written, element by element."""

    def exp(self, x: Any, /) -> Any:
        """``e^x``."""
        ...

    def log(self, x: Any, /) -> Any:
        """Natural logarithm."""
        ...

    def log1p(self, x: Any, /) -> Any:
        """``log(1 + x)``."""
        ...

    def expm1(self, x: Any, /) -> Any:
        """``e^x - 1``."""
        ...

    def logaddexp(self, x: Any, y: Any, /) -> Any:
        """``log(e^x + e^y)``."""
        ...

    def maximum(self, x: Any, y: Any, /) -> Any:
        """The larger of two."""
        ...

    def minimum(self, x: Any, y: Any, /) -> Any:
        """The smaller of two."""
        ...


@runtime_checkable
class ArrayNamespace(Elementary, Protocol):
    """`Elementary` functions, and those in which densities of tables of runs are written."""

    def sqrt(self, x: Any, /) -> Any:
        """Square root."""
        ...

    def asarray(self, x: Any, /) -> Any:
        """A number or array as an array of this library."""
        ...

    def where(self, condition: Any, x: Any, y: Any, /) -> Any:
        """``x`` where the condition holds, ``y`` elsewhere."""
        ...

    def stack(self, arrays: Sequence[Any], /, axis: int = 0) -> Any:
        """Arrays of one shape along a new axis."""
        ...

    def concatenate(self, arrays: Sequence[Any], /, axis: int = 0) -> Any:
        """Arrays one after the other along an axis."""
        ...

    def cumsum(self, x: Any, /, axis: int) -> Any:
        """Running sums along an axis."""
        ...

    def full(self, shape: tuple[int, ...], value: Any, /) -> Any:
        """An array of one value."""
        ...
