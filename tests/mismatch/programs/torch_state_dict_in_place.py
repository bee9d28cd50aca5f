"""A state in a dictionary is written to after tanh has saved it."""

import torch
from torch import nn

LAYER = "mul"
CAUSE = "in-place"
FIX = "state['h'] = state['h'].mul(keep) instead of state['h'].mul_(keep)"
REPAIR = ('state["h"].mul_(keep)', 'state["h"] = state["h"] * keep')


class Cell(nn.Module):
    def __init__(self, features, hidden):
        super().__init__()
        self.inp, self.rec = nn.Linear(features, hidden), nn.Linear(hidden, hidden)

    def step(self, x, state, keep):
        state["h"] = torch.tanh(self.inp(x) + self.rec(state["h"]))
        state["h"].mul_(keep)
        return state

    def forward(self, series):
        state = {"h": torch.zeros(series.size(0), self.rec.in_features)}
        for t in range(series.size(1)):
            keep = (series[:, t, :1] != 0).float()
            state = self.step(series[:, t], state, keep)
        return state["h"]


torch.manual_seed(27)
cell = Cell(4, 18)
out = cell(torch.randn(6, 5, 4))
out.sum().backward()
