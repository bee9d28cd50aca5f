"""The state is made for the batch, the LSTM reads the time first."""

import torch
from torch import nn

LAYER = "lstm"
CAUSE = "batch-first"
FIX = 'batch_first=True in "lstm"'
REPAIR = ("nn.LSTM(12, 20)", "nn.LSTM(12, 20, batch_first=True)")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(12, 20)
        self.fc = nn.Linear(20, 3)

    def forward(self, x):
        state = torch.zeros(1, x.size(0), 20)
        out, _ = self.lstm(x, (state, state))
        return self.fc(out)


Net()(torch.randn(32, 7, 12))
