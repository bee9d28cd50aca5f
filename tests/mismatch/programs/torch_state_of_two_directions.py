"""A decoder of one direction starts from the state of an encoder of two."""

import torch
from torch import nn

LAYER = "decoder"
CAUSE = "state"
FIX = 'bidirectional=False in "encoder"'
REPAIR = (", bidirectional=True", "")


class Seq2Seq(nn.Module):
    def __init__(self):
        super().__init__()
        self.src = nn.Embedding(40, 20)
        self.encoder = nn.GRU(20, 32, batch_first=True, bidirectional=True)
        self.decoder = nn.GRU(20, 32, batch_first=True)
        self.fc = nn.Linear(32, 45)

    def forward(self, src, trg):
        _, state = self.encoder(self.src(src))
        y, _ = self.decoder(self.src(trg), state)
        return self.fc(y)


model = Seq2Seq()


def step():
    return model(torch.randint(0, 40, (5, 9)), torch.randint(0, 40, (5, 7)))


step()
