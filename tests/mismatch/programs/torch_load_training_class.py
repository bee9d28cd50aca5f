"""The checkpoint is of a training class that holds the network and the weights of a loss."""

import torch
from torch import nn

LAYER = "Net"
CAUSE = "keys-prefixed"
FIX = (
    'model.load_state_dict({k.removeprefix("model."): v for k, v in ckpt["state_dict"].items() '
    'if k.startswith("model.")})'
)
REPAIR = (
    'model.load_state_dict(ckpt["state_dict"])',
    (
        'model.load_state_dict({k.removeprefix("model."): v for k, v in ckpt["state_dict"].items() '
        'if k.startswith("model.")})'
    ),
)


class Net(nn.Module):
    def __init__(self, classes=10, width=12, channels=3):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, 2 * width, 3)
        self.bn2 = nn.BatchNorm2d(2 * width)
        self.head = nn.Linear(2 * width, classes)

    def forward(self, x):
        x = self.bn1(self.conv1(x)).relu()
        x = self.bn2(self.conv2(x)).relu()
        return self.head(x.mean((2, 3)))


class Lit(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = Net()
        self.criterion = nn.CrossEntropyLoss(weight=torch.ones(10))


ckpt = {"epoch": 3, "state_dict": Lit().state_dict(), "hparams": {"lr": 0.1}}
model = Net()
model.load_state_dict(ckpt["state_dict"])
