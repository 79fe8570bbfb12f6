"""``C = M D`` with ``M = 72 layers width^2 + 12 layers width context``: DeepSeek-AI 2024."""

from bayescale.cost.shaped import ShapedCost

COST = ShapedCost(
    "deepseek",
    "DeepSeek-AI 2024, arXiv:2401.02954, eq. (2): M = 72 layers width^2 + 12 layers width context "
    "a token",
    size=lambda shape: 12 * shape.layers * shape.width**2,
    token=lambda s: 72 * s.layers * s.width**2 + 12 * s.layers * s.width * s.context,
)
