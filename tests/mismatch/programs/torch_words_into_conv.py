"""A convolution over text reads the time as its channels."""

import torch
from torch import nn

LAYER = "conv"
CAUSE = "channels-last"
FIX = 'self.embed(words).transpose(1, 2) before "conv"'
REPAIR = ("self.embed(words)", "self.embed(words).transpose(1, 2)")


class TextCnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(100, 24)
        self.conv = nn.Conv1d(24, 16, 3)

    def forward(self, words):
        return self.conv(self.embed(words)).amax(-1)


TextCnn()(torch.randint(100, (4, 13)))
