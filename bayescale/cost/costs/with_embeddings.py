"""``C = 6 n D`` with embeddings, where N counts none: Pearce and Song 2024."""

from bayescale.cost.embedding import EmbeddingCost

COST = EmbeddingCost(
    "with_embeddings",
    "Pearce and Song 2024, arXiv:2406.12907: N without embeddings, compute with them",
    size_is_total=False,
)
