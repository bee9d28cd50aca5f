"""Features are cut into windows that do not divide their height and width."""

import torch
from torch import nn

LAYER = "view"
CAUSE = "patches"
FIX = "feed 112×112 (112 to 115 fit)"
REPAIR = ("torch.randn(2, 3, 128, 128)", "torch.randn(2, 3, 112, 112)")


class Swin(nn.Module):
    def __init__(self, w=7):
        super().__init__()
        self.w = w
        self.embed = nn.Conv2d(3, 16, 4, 4)
        self.fc = nn.Linear(16, 5)

    def forward(self, x):
        x = self.embed(x)
        n, c, h, w = x.shape
        x = x.view(n, c, h // self.w, self.w, w // self.w, self.w)
        x = x.permute(0, 2, 4, 3, 5, 1).reshape(-1, self.w * self.w, c)
        return self.fc(x.mean(1))


model = Swin()


def step():
    return model(torch.randn(2, 3, 128, 128))


step()
