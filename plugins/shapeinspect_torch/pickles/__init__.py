"""Pickles read as inert records."""
