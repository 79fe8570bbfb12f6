"""Probability distributions: their families, supports and densities, and priors as data."""
