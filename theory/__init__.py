"""Mathematics of scaling laws: declared, derived, compiled to the log domain."""
