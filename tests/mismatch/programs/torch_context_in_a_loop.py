"""A decoder concatenates a context without the time axis, at every step of a loop."""

import torch
from torch import nn

LAYER = "decoder.cat"
CAUSE = "missing-axis"
FIX = 'context.unsqueeze(0) before "decoder.cat"'
REPAIR = ("torch.cat((e, context)", "torch.cat((e, context.unsqueeze(0))")


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(40, 22)
        self.rnn = nn.GRU(22, 34)

    def forward(self, src):
        return self.rnn(self.emb(src))


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(45, 22)
        self.rnn = nn.GRU(22 + 34, 34)
        self.fc = nn.Linear(34, 45)

    def forward(self, tok, hidden, enc):
        e = self.emb(tok.unsqueeze(0))
        score = torch.einsum("tnh,nh->nt", enc, hidden[-1]).softmax(1)
        context = torch.einsum("nt,tnh->nh", score, enc)
        x = torch.cat((e, context), dim=2)
        y, hidden = self.rnn(x, hidden)
        return self.fc(y.squeeze(0)), hidden


class Seq2Seq(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = Encoder(), Decoder()

    def forward(self, src, trg):
        enc, h = self.encoder(src)
        outs = []
        for t in range(trg.size(0) - 1):
            y, h = self.decoder(trg[t], h, enc)
            outs.append(y)
        return torch.stack(outs)


model = Seq2Seq()


def step():
    return model(torch.randint(0, 40, (9, 5)), torch.randint(0, 45, (7, 5)))


step()
