"""A decoder starts from the state of an encoder that is narrower."""

import torch
from torch import nn

LAYER = "decoder"
CAUSE = "state"
FIX = 'hidden_size=48 in "encoder"'
REPAIR = ("nn.LSTM(20, 32,", "nn.LSTM(20, 48,")


class Seq2Seq(nn.Module):
    def __init__(self):
        super().__init__()
        self.src = nn.Embedding(40, 20)
        self.trg = nn.Embedding(45, 20)
        self.encoder = nn.LSTM(20, 32, batch_first=True)
        self.decoder = nn.LSTM(20, 48, batch_first=True)
        self.fc = nn.Linear(48, 45)

    def forward(self, src, trg):
        _, state = self.encoder(self.src(src))
        y, _ = self.decoder(self.trg(trg), state)
        return self.fc(y)


model = Seq2Seq()


def step():
    return model(torch.randint(0, 40, (5, 9)), torch.randint(0, 45, (5, 7)))


step()
