"""Grouped queries: 8 heads of queries share 2 of keys, by broadcasting over an axis of 1."""

import torch

q, k = torch.randn(3, 2, 4, 7, 5), torch.randn(3, 2, 1, 9, 5)
assert (q @ k.transpose(-1, -2)).shape == (3, 2, 4, 7, 9)
