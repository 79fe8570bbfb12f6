"""What columns are called in tables of runs, for the checks that know one by its name."""

SEEDS = ("seed", "random_seed", "data_seed", "init_seed", "seed_tag")
"""Seeds, in lower case."""

UNIQUE = ("U", "unique_tokens", "unique tokens", "tokens_unique", "uniquetokens", "dataset_tokens")
"""Unique tokens."""
