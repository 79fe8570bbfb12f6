"""``C = (6 N + 6 context width layers) D`` with the head in N: Porian et al. 2024."""

from bayescale.cost.costs.porian import with_head
from bayescale.cost.shaped import ShapedCost

COST = ShapedCost(
    "porian_attention",
    "Porian et al. 2024, arXiv:2406.19146: 6 N + 6 context width layers a token, N as in 'porian'",
    size=with_head,
    token=lambda s: 6 * with_head(s) + 6 * s.context * s.width * s.layers,
)
