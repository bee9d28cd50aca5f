"""The LSTM expects other features than the rows have."""

import torch
from torch import nn

LAYER = "lstm"
CAUSE = "features"
FIX = 'input_size=28 in "lstm"'
REPAIR = ("nn.LSTM(10, 20", "nn.LSTM(28, 20")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(10, 20, batch_first=True)
        self.fc = nn.Linear(20, 3)

    def forward(self, x):
        out, _ = self.lstm(x)
        return self.fc(out[:, -1])


Net()(torch.randn(8, 15, 28))
