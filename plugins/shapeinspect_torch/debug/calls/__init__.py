"""Runs a failed call of a model again, with changes."""
