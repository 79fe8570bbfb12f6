"""``C = 6 n D`` without embeddings, where N counts them: Pearce and Song 2024."""

from bayescale.cost.embedding import EmbeddingCost

COST = EmbeddingCost(
    "pearce_song",
    "Pearce and Song 2024, arXiv:2406.12907: N with embeddings, compute without them",
    size_is_total=True,
)
