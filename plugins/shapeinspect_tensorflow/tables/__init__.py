"""Checkpoints: the sorted table, its blocks, the variables in it."""
