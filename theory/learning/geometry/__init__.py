"""The geometry of inputs, before any training: intrinsic dimension and kernel learning curves."""
