"""Solved models of learning: spectra, dynamics, random features, geometry, simulations."""
