"""What modules store: weights, ties, quantized tensors."""
