"""Pictures are cut into patches that do not divide their height and width."""

import torch
from torch import nn

LAYER = "reshape"
CAUSE = "patches"
FIX = "feed 96×96"
REPAIR = ("torch.randn(2, 3, 100, 100)", "torch.randn(2, 3, 96, 96)")


class ViT(nn.Module):
    def __init__(self, p=16, dim=40):
        super().__init__()
        self.p = p
        self.to_patch = nn.Linear(3 * p * p, dim)
        self.head = nn.Linear(dim, 4)

    def forward(self, x):
        n, c, h, w = x.shape
        p = self.p
        x = x.reshape(n, c, h // p, p, w // p, p)
        x = x.permute(0, 2, 4, 3, 5, 1).reshape(n, (h // p) * (w // p), p * p * c)
        return self.head(self.to_patch(x).mean(1))


model = ViT()


def step():
    return model(torch.randn(2, 3, 100, 100))


step()
