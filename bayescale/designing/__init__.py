"""Which runs are worth doing next."""
