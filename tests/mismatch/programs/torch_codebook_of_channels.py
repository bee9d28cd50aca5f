"""Pictures with the channels first are multiplied with a table of codes."""

import torch
from torch import nn

LAYER = "matmul"
CAUSE = "channels-last"
FIX = 'z.permute(0, 2, 3, 1) before "matmul"'
REPAIR = ("d = z @", "d = z.permute(0, 2, 3, 1) @")


class VQ(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Conv2d(3, 16, 4, 4)
        self.code = nn.Embedding(32, 16)

    def forward(self, x):
        z = self.enc(x)
        d = z @ self.code.weight.t()
        return d.argmin(-1)


model = VQ()


def step():
    return model(torch.randn(2, 3, 40, 56))


step()
