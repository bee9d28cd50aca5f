"""An exception of the user's own is not about shapes."""

import torch
from torch import nn

RAISES = "KeyError"


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 2)

    def forward(self, batch):
        return self.fc(batch["features"])


Net()({"x": torch.randn(2, 3)})
