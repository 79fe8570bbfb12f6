"""``C = 6 N_active D``: a mixture of experts."""

from bayescale.cost.experts import ExpertsCost

COST = ExpertsCost("moe", "6 N_active D, as 6ND of Kaplan et al. 2020 with what a token uses")
