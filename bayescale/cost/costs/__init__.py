"""The cost models: each module is one, its constant ``COST``, called after the module."""
