"""Failures outside of every model: operations on tensors, collated samples, optimizers."""
