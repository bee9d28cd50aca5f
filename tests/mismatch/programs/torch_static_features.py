"""Features of a whole sequence are concatenated with those of its steps."""

import torch
from torch import nn

LAYER = "cat"
CAUSE = "missing-axis"
FIX = "feed static.unsqueeze(1).expand(-1, 12, -1)"
REPAIR = ("[out, static]", "[out, static.unsqueeze(1).expand(-1, 12, -1)]")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(8, 16, batch_first=True)
        self.fc = nn.Linear(16 + 5, 1)

    def forward(self, seq, static):
        out, _ = self.lstm(seq)
        x = torch.cat([out, static], dim=-1)
        return self.fc(x)


model = Net()


def step():
    return model(torch.randn(4, 12, 8), torch.randn(4, 5))


step()
