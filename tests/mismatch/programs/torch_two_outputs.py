"""The model gives its features too, and the loss takes the logits alone."""

import torch
from torch import nn

LAYER = "loss_of"
CAUSE = "several-outputs"
FIX = 'take output [0] of "model" alone'
REPAIR = ("loss_of(model(x), y)", "loss_of(model(x)[0], y)")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(12, 8), nn.Linear(8, 5)

    def forward(self, x):
        features = self.body(x).relu()
        return self.head(features), features


model = Net()
loss_of = nn.CrossEntropyLoss()
x, y = torch.randn(4, 12), torch.tensor([0, 3, 2, 4])
loss = loss_of(model(x), y)
