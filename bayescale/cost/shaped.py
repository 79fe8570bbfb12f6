"""Costs that depend on the shape of a transformer: attention, embeddings, head."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np

from bayescale.cost.cost import AbstractTokenCost
from bayescale.cost.shape import Shape
from bayescale.errors import UsageError
from theory.declaration.namespace import Numeric


@final
@dataclass(frozen=True)
class ShapedCost(AbstractTokenCost):
    """``C = c(shape) D``, with N counted from the same shape.

    Between two given shapes log c is linear in log N; beyond the last ones c grows as N.

    Parameters
    ----------
    size
        N as this cost's source counts it, from a shape.
    token
        Training FLOP a token, from a shape.
    shapes
        Those that may be trained, by ascending N; none until `on` gives them.
    """

    size: Callable[[Shape], float]
    token: Callable[[Shape], float]
    shapes: tuple[Shape, ...] = field(default=())

    def on(self, shapes: Sequence[Shape]) -> "ShapedCost":
        """Bind the cost to a grid of shapes.

        Raises
        ------
        UsageError
            If there is no shape, or two have the same N.
        """
        ordered = tuple(sorted(shapes, key=self.size))
        sizes = [self.size(shape) for shape in ordered]
        if not sizes or len(set(sizes)) < len(sizes):
            raise UsageError(
                f"cost '{self.name}' needs shapes of different N; got {len(sizes)} shapes with "
                f"{len(set(sizes))} different N."
            )
        return replace(self, shapes=ordered)

    @property
    def log_sizes(self) -> np.ndarray:
        """Log of N of each shape, (shape,), ascending.

        Raises
        ------
        UsageError
            If no shapes were given.
        """
        if not self.shapes:
            raise UsageError(
                f"cost '{self.name}' depends on the shape of the model; pass "
                f"cost=bayescale.cost.get('{self.name}').on([Shape(layers=..., width=...), ...]) "
                "(--shape LAYERSxWIDTH), or a cost in N and D alone such as '6ND'."
            )
        return np.log([self.size(shape) for shape in self.shapes])

    def log_token(self, log_size: Numeric, ops: Any = np) -> Any:
        """Log of the training FLOP a token, from the log of N."""
        at = self.log_sizes
        rates = np.log([self.token(shape) for shape in self.shapes])
        # c/N is what is interpolated, so that beyond the ends c grows as N.
        flat = ops.interp(ops.ravel(ops.asarray(log_size)), at, rates - at)
        return log_size + flat.reshape(ops.shape(log_size))
