"""A head shares the weight of an embedding that is narrower than what the head is given."""

import torch
from torch import nn

LAYER = "decoder"
CAUSE = "features"
FIX = 'hidden_size=24 in "rnn"'
REPAIR = ("hid=36", "hid=24")


class LM(nn.Module):
    def __init__(self, vocab=70, emb=24, hid=36):
        super().__init__()
        self.encoder = nn.Embedding(vocab, emb)
        self.rnn = nn.LSTM(emb, hid, batch_first=True)
        self.decoder = nn.Linear(hid, vocab)
        self.decoder.weight = self.encoder.weight

    def forward(self, x):
        out, _ = self.rnn(self.encoder(x))
        return self.decoder(out)


model = LM()


def step():
    x = torch.randint(0, 70, (5, 12))
    nn.functional.cross_entropy(model(x).flatten(0, 1), x.flatten()).backward()


step()
