"""``C = N t``: every step of training passes through every parameter, whatever the data."""

from bayescale.cost.cost import ProductCost
from theory.declaration.symbols import N, t

COST = ProductCost(
    "Nt",
    "Bordelon et al. 2024, arXiv:2402.01092, section 4: compute as model size times time",
    1.0,
    {N: 1, t: 1},
)
