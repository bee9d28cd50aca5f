"""Torch's names: kinds, functions, layouts, dtypes."""
