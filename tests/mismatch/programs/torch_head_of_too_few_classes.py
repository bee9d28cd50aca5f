"""The head was built for the classes of another data set."""

import torch
from torch import nn

LAYER = "cross_entropy"
CAUSE = "class-index"
FIX = 'out_features=7 in "model.head"'
REPAIR = ("Net(5)", "Net(7)")


class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.body = nn.Linear(12, 8)
        self.head = nn.Linear(8, num_classes)

    def forward(self, x):
        return self.head(self.body(x).relu())


model = Net(5)
x, y = torch.randn(4, 12), torch.tensor([0, 6, 2, 5])
loss = nn.functional.cross_entropy(model(x), y)
