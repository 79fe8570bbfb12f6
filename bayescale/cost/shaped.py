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
                "shapes=[Shape(layers=..., width=...), ...] (--shape LAYERSxWIDTH), or a cost in "
                "N and D alone such as '6ND'."
            )
        return np.log([self.size(shape) for shape in self.shapes])

    def log_token(self, log_size: Numeric, ops: Any = np) -> Any:
        """Log of the training FLOP a token, from the log of N."""
        at = self.log_sizes
        rates = np.log([self.token(shape) for shape in self.shapes])
        # c/N is what is interpolated, so that beyond the ends c grows as N.
        flat = ops.interp(ops.ravel(ops.asarray(log_size)), at, rates - at)
        return log_size + flat.reshape(ops.shape(log_size))


def _attention_all(shape: Shape) -> float:
    """FLOP a token of the layers' forward pass, Hoffmann et al. 2022, appendix F."""
    s, d, a = shape.context, shape.width, shape.attention
    return shape.layers * (
        2 * 3 * d * a  # keys, queries, values
        + 2 * s * a  # logits of attention
        + 3 * shape.heads * s  # softmax
        + 2 * s * a  # reduction over values
        + 2 * a * d  # output
        + 2 * (2 * d * shape.ffw)
    )


def _with_positions(shape: Shape) -> float:
    """N that holds the embedding and a matrix for relative positions in each layer."""
    a = shape.attention
    return shape.layers * (5 * shape.width * a + 2 * shape.width * shape.ffw) + shape.embedding


KAPLAN = ShapedCost(
    "kaplan",
    "Kaplan et al. 2020, arXiv:2001.08361, section 2.1 and table 1: 6 N + 6 layers context "
    "attention a token, N without embeddings",
    size=lambda shape: shape.linear,
    token=lambda s: 6 * s.linear + 6 * s.layers * s.context * s.attention,
)

HOFFMANN_PRINTED = ShapedCost(
    "hoffmann",
    "Hoffmann et al. 2022, arXiv:2203.15556, appendix F as printed: embeddings and logits are "
    "counted",
    size=_with_positions,
    token=lambda shape: 3 * (_attention_all(shape) + 4 * shape.embedding),
)

HOFFMANN_TABULATED = ShapedCost(
    "hoffmann_table",
    "Hoffmann et al. 2022, arXiv:2203.15556, table A4: the ratios printed there follow only "
    "without embeddings and logits",
    size=_with_positions,
    token=lambda shape: 3 * _attention_all(shape),
)

DEEPSEEK = ShapedCost(
    "deepseek",
    "DeepSeek-AI 2024, arXiv:2401.02954, eq. (2): M = 72 layers width^2 + 12 layers width context "
    "a token",
    size=lambda shape: 12 * shape.layers * shape.width**2,
    token=lambda s: 72 * s.layers * s.width**2 + 12 * s.layers * s.width * s.context,
)

PORIAN = ShapedCost(
    "porian",
    "Porian et al. 2024, arXiv:2406.19146: 6 N a token, N with the head and without embeddings",
    size=lambda shape: shape.linear + shape.embedding,
    token=lambda shape: 6 * (shape.linear + shape.embedding),
)

PORIAN_ATTENTION = ShapedCost(
    "porian_attention",
    "Porian et al. 2024, arXiv:2406.19146: 6 N + 6 context width layers a token, N as in 'porian'",
    size=PORIAN.size,
    token=lambda s: 6 * (s.linear + s.embedding) + 6 * s.context * s.width * s.layers,
)
