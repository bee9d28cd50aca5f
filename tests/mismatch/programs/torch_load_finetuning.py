"""A network is fine-tuned for other classes than it was trained for."""

import torch
from torch import nn

LAYER = "head"
CAUSE = "other-classes"
FIX = 'model.load_state_dict({k: v for k, v in state.items() if not k.startswith("head.")}, strict=False)'
REPAIR = (
    "model.load_state_dict(state)",
    ('model.load_state_dict({k: v for k, v in state.items() if not k.startswith("head.")}, strict=False)'),
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


state = Net(1000).state_dict()
model = Net(classes=4)
model.load_state_dict(state)
loss = nn.functional.cross_entropy(model(torch.randn(5, 3, 20, 22)), torch.randint(4, (5,)))
