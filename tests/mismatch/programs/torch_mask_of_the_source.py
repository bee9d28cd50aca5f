"""The mask of a decoder is made for the length of the source."""

import torch
from torch import nn

LAYER = "transformer.decoder.layers.0.self_attn"
CAUSE = "mask"
FIX = (
    "nn.Transformer.generate_square_subsequent_mask(t.size(1)) instead of "
    "nn.Transformer.generate_square_subsequent_mask(s.size(1))"
)
REPAIR = ("generate_square_subsequent_mask(s.size(1))", "generate_square_subsequent_mask(t.size(1))")


class MT(nn.Module):
    def __init__(self):
        super().__init__()
        self.src, self.tgt = nn.Embedding(50, 32), nn.Embedding(60, 32)
        self.transformer = nn.Transformer(32, 4, 1, 1, 64, batch_first=True)
        self.fc = nn.Linear(32, 60)

    def forward(self, s, t):
        mask = nn.Transformer.generate_square_subsequent_mask(s.size(1))
        return self.fc(self.transformer(self.src(s), self.tgt(t), tgt_mask=mask))


model = MT()


def step():
    return model(torch.randint(0, 50, (3, 12)), torch.randint(0, 60, (3, 9)))


step()
