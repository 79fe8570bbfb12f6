"""Simulate models that theory describes."""
