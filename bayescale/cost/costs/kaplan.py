"""``C = (6 N + 6 layers context attention) D``: Kaplan et al. 2020."""

from bayescale.cost.shaped import ShapedCost

COST = ShapedCost(
    "kaplan",
    "Kaplan et al. 2020, arXiv:2001.08361, section 2.1 and table 1: 6 N + 6 layers context "
    "attention a token, N without embeddings",
    size=lambda shape: shape.linear,
    token=lambda s: 6 * s.linear + 6 * s.layers * s.context * s.attention,
)
