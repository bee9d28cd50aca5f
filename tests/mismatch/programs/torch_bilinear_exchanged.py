"""A bilinear layer is given its two inputs in the other order."""

import torch
from torch import nn

LAYER = "bil"
CAUSE = "exchanged"
FIX = 'the two inputs of "bil" in the other order'
REPAIR = ("self.bil(self.item(i), self.user(u))", "self.bil(self.user(u), self.item(i))")


class Score(nn.Module):
    def __init__(self):
        super().__init__()
        self.user = nn.Embedding(40, 10)
        self.item = nn.Embedding(60, 14)
        self.bil = nn.Bilinear(10, 14, 1)

    def forward(self, u, i):
        return self.bil(self.item(i), self.user(u)).squeeze(-1)


model = Score()


def step():
    return model(torch.randint(0, 40, (9,)), torch.randint(0, 60, (9,)))


step()
