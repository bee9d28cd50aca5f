"""Pickles read into inert records: nothing is imported, called or built."""
