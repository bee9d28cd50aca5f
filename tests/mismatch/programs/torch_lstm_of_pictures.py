"""Rows of a picture are to be steps, and the channel axis is still there."""

import torch
from torch import nn

LAYER = "lstm"
CAUSE = "extra-axis"
FIX = "feed x.squeeze(1)"
REPAIR = ("Net()(x)", "Net()(x.squeeze(1))")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(28, 64, batch_first=True)
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        out, _ = self.lstm(x)
        return self.fc(out[:, -1])


x = torch.randn(5, 1, 28, 28)
Net()(x)
