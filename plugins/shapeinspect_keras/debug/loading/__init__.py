"""Weights that do not load into a Keras model: what the file stores, and the call that loads it."""
