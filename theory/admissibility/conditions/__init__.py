"""The conditions of admissibility: each module is one, its constant ``CONDITION``."""
