"""``C = 6 N D`` with the head in N: Porian et al. 2024."""

from bayescale.cost.shape import Shape
from bayescale.cost.shaped import ShapedCost


def with_head(shape: Shape) -> float:
    """N with the head and without embeddings."""
    return shape.linear + shape.embedding


COST = ShapedCost(
    "porian",
    "Porian et al. 2024, arXiv:2406.19146: 6 N a token, N with the head and without embeddings",
    size=with_head,
    token=lambda shape: 6 * with_head(shape),
)
