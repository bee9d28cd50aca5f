"""Finds where two models that should be the same part: both are run on the same random input."""
