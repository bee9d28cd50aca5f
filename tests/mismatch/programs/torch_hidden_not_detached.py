"""A hidden state is carried over to the next batch together with its graph."""

import torch
from torch import nn

LAYER = "rnn"
CAUSE = "in-place"
FIX = "hidden = hidden.detach() before out, hidden = rnn(batch, hidden)"
REPAIR = ("    out, hidden = rnn", "    hidden = hidden.detach()\n    out, hidden = rnn")

rnn, head = nn.GRU(5, 7, batch_first=True), nn.Linear(7, 1)
optimizer = torch.optim.SGD([*rnn.parameters(), *head.parameters()], 0.1)
hidden = torch.zeros(1, 3, 7)
for batch in torch.randn(2, 3, 4, 5):
    out, hidden = rnn(batch, hidden)
    loss = head(out).pow(2).mean()
    optimizer.zero_grad()
    loss.backward(retain_graph=True)
    optimizer.step()
