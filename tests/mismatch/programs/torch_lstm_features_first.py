"""The sensors stand before the time."""

import torch
from torch import nn

LAYER = "lstm"
CAUSE = "swapped-axes"
FIX = "feed x.transpose(1, 2)"
REPAIR = ("Net()(x)", "Net()(x.transpose(1, 2))")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(9, 32, batch_first=True)
        self.fc = nn.Linear(32, 6)

    def forward(self, x):
        out, _ = self.lstm(x)
        return self.fc(out[:, -1])


x = torch.randn(8, 9, 128)
Net()(x)
