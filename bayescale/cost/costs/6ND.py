"""``C = 6 N D``: two FLOP a parameter and token forward, four backward."""

from bayescale.cost.cost import ProductCost
from theory.declaration.symbols import D, N

COST = ProductCost("6ND", "Kaplan et al. 2020, arXiv:2001.08361, section 2.1", 6.0, {N: 1, D: 1})
