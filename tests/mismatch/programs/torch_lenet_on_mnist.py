"""LeNet was written for 32×32, and MNIST has 28×28."""

import torch
from torch import nn

LAYER = "classifier.0"
CAUSE = "input-size"
FIX = "feed 32×32 (32 to 35 fit)"
REPAIR = ("28, 28", "32, 32")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.classifier = nn.Sequential(nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 10))

    def forward(self, x):
        return self.classifier(torch.flatten(self.features(x), 1))


Net()(torch.randn(4, 1, 28, 28))
