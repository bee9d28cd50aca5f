"""Pictures from OpenCV have their channels last."""

import torch
from torch import nn

LAYER = "conv1"
CAUSE = "channels-last"
FIX = "feed x.permute(0, 3, 1, 2)"
REPAIR = ("Net()(batch)", "Net()(batch.permute(0, 3, 1, 2))")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(16, 5)

    def forward(self, x):
        return self.fc(self.pool(torch.relu(self.conv1(x))).flatten(1))


batch = torch.randn(8, 120, 160, 3)
Net()(batch)
