"""Layers of two models brought to one granularity: what one stores apart and the other together."""
