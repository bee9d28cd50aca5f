"""The checkpoint was saved from a compiled model inside DataParallel."""

import io

import torch
from torch import nn

LAYER = "Net"
CAUSE = "keys-prefixed"
FIX = 'self.net.load_state_dict({k.removeprefix("module._orig_mod."): v for k, v in ckpt.items()})'
REPAIR = (
    "self.net.load_state_dict(ckpt)",
    ('self.net.load_state_dict({k.removeprefix("module._orig_mod."): v for k, v in ckpt.items()})'),
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


class Runner:
    def __init__(self):
        self.net = Net(classes=7)

    def resume(self, path):
        ckpt = torch.load(path, map_location="cpu", weights_only=True)
        self.net.load_state_dict(ckpt)


saved = io.BytesIO()
torch.save({"module._orig_mod." + k: v for k, v in Net(7).state_dict().items()}, saved)
saved.seek(0)
Runner().resume(saved)
