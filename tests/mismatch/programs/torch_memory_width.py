"""A decoder reads a memory that is wider than itself."""

import torch
from torch import nn

LAYER = "dec.layers.0.multihead_attn"
CAUSE = "features"
FIX = 'out_channels=48 in "cnn"'
REPAIR = ("nn.Conv2d(3, 64, 8, 8)", "nn.Conv2d(3, 48, 8, 8)")


class Caption(nn.Module):
    def __init__(self):
        super().__init__()
        self.cnn = nn.Conv2d(3, 64, 8, 8)
        self.emb = nn.Embedding(30, 48)
        self.dec = nn.TransformerDecoder(nn.TransformerDecoderLayer(48, 4, 96, batch_first=True), 2)
        self.out = nn.Linear(48, 30)

    def forward(self, img, tok):
        mem = self.cnn(img).flatten(2).transpose(1, 2)
        return self.out(self.dec(self.emb(tok), mem))


model = Caption()


def step():
    return model(torch.randn(2, 3, 32, 40), torch.randint(0, 30, (2, 7)))


step()
