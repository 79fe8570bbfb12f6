"""Hoffmann et al. 2022 as tabulated: embeddings and logits are not counted."""

from bayescale.cost.costs.hoffmann import forward, with_positions
from bayescale.cost.shaped import ShapedCost

COST = ShapedCost(
    "hoffmann_table",
    "Hoffmann et al. 2022, arXiv:2203.15556, table A4: the ratios printed there follow only "
    "without embeddings and logits",
    size=with_positions,
    token=lambda shape: 3 * forward(shape),
)
