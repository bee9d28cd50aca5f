"""What the entry points name: an adapter for each form of PyTorch's models."""
