"""A photo with its channels last is standardized before it is turned."""

import torch

LAYER = "sub"
CAUSE = "channels-last"
FIX = "photo.permute(2, 0, 1) - mean instead of photo - mean"
REPAIR = ("torch.rand(24, 32, 3)", "torch.rand(24, 32, 3).permute(2, 0, 1)")

mean = torch.tensor([0.4, 0.5, 0.6])[:, None, None]
photo = torch.rand(24, 32, 3)
image = photo - mean
scores = torch.nn.Conv2d(3, 5, 3)(image)
