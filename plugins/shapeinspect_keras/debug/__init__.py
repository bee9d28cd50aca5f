"""Finds out why a Keras call failed."""
