"""Searches for an input size at which everything fits."""
