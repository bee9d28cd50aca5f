"""Finds out why a torch call failed."""
