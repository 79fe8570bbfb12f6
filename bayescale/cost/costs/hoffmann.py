"""Hoffmann et al. 2022 as printed: embeddings and logits are counted."""

from bayescale.cost.shape import Shape
from bayescale.cost.shaped import ShapedCost


def forward(shape: Shape) -> float:
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


def with_positions(shape: Shape) -> float:
    """N that holds the embedding and a matrix for relative positions in each layer."""
    a = shape.attention
    return shape.layers * (5 * shape.width * a + 2 * shape.width * shape.ffw) + shape.embedding


COST = ShapedCost(
    "hoffmann",
    "Hoffmann et al. 2022, arXiv:2203.15556, appendix F as printed: embeddings and logits are "
    "counted",
    size=with_positions,
    token=lambda shape: 3 * (forward(shape) + 4 * shape.embedding),
)
