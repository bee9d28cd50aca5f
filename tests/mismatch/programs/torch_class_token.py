"""A token that is stored once is put before every sequence of a batch without being expanded."""

import torch
from torch import nn

LAYER = "cat"
CAUSE = "not-expanded"
FIX = 'self.cls_token.expand(6, -1, -1) before "cat"'
REPAIR = ("[self.cls_token, x]", "[self.cls_token.expand(6, -1, -1), x]")


class ViT(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 30, 8, 8)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, 30))
        self.pos = nn.Parameter(torch.zeros(1, 17, 30))
        self.enc = nn.TransformerEncoderLayer(30, 5, 60, batch_first=True)
        self.head = nn.Linear(30, 4)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token, x], dim=1)
        x = self.enc(x + self.pos)
        return self.head(x[:, 0])


model = ViT()


def step():
    return model(torch.randn(6, 3, 32, 32))


step()
