"""Weights that quantizers wrote into a state dict: what belongs together, and what it stands for."""
