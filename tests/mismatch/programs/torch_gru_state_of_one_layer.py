"""A GRU of two layers gets the first state of one."""

import torch
from torch import nn

LAYER = "gru"
CAUSE = "state"
FIX = 'a state of shape (2, 7, 40) for "gru"'
REPAIR = ("torch.zeros(1, tok", "torch.zeros(2, tok")


class Decoder(nn.Module):
    def __init__(self, vocab=50, emb=24, hid=40):
        super().__init__()
        self.emb = nn.Embedding(vocab, emb)
        self.gru = nn.GRU(emb, hid, num_layers=2, batch_first=True)
        self.out = nn.Linear(hid, vocab)
        self.hid = hid

    def forward(self, tok):
        h0 = torch.zeros(1, tok.size(0), self.hid)
        y, h = self.gru(self.emb(tok), h0)
        return self.out(y), h


model = Decoder()


def step():
    return model(torch.randint(0, 50, (7, 11)))


step()
