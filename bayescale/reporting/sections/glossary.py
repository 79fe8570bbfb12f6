"""Glossary: the words of the report, for a reader who meets them first here."""

from bayescale.reporting.blocks import Block, Terms
from bayescale.reporting.section import Section
from bayescale.reporting.subject import Subject

MEANINGS = {
    "N, D, C": "Model size in parameters, training data in tokens (or examples), and training "
    "compute in FLOP; C = 6 N D unless another cost model is named.",
    "Law": "A formula for the loss in N and D. Its parameters are what is fitted.",
    "E": "The irreducible loss: what no model size and no data go below.",
    "Posterior": "What the runs and the prior together say of the parameters, as draws: each draw "
    "is a law that agrees with the runs.",
    "80% interval": "From the 10% to the 90% quantile of the draws: eight of ten draws lie in it.",
    "Gate": "The checks of the computation and of the law. What it refuses is not to be used.",
    "Audit": "A look at the table for faults that a fit does not show.",
    "Drift": "What a law may be wrong by beyond the runs; it grows with the distance from them and "
    "is learnt from how wrong laws were on other tables.",
    "Valley": "The model sizes that cost less than 1% extra compute.",
    "Regret": "Loss of the recommended choice above the optimum that would be chosen if the law "
    "were known, in nats.",
    "Frontier": "The lowest loss at every budget, and the sizes that reach it.",
    "Outlier": "A run that lies so far from the law that the likelihood takes it for a fault.",
    "R-hat, ESS": "Whether the chains agree (1.01 at most), and how many independent draws they "
    "are worth (400 at least).",
    "Nat": "Unit of the loss: a natural logarithm; divide by 0.693 for bits.",
}


def write(subject: Subject) -> list[Block]:
    """Every word and its meaning."""
    return [Terms(MEANINGS)]


SECTION = Section(100, "Glossary", write)
