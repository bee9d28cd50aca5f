"""A three-dimensional convolution gets clips with the frames before the channels."""

import torch
from torch import nn

LAYER = "0"
CAUSE = "channels-last"
FIX = "feed input.transpose(1, 2)"
REPAIR = ("model(clip)", "model(clip.transpose(1, 2))")

model = nn.Sequential(
    nn.Conv3d(3, 16, (3, 5, 5), padding=(1, 2, 2)),
    nn.BatchNorm3d(16),
    nn.ReLU(),
    nn.AdaptiveAvgPool3d(1),
    nn.Flatten(),
    nn.Linear(16, 6),
)


def step():
    clip = torch.randn(2, 8, 3, 28, 36)
    return model(clip)


step()
