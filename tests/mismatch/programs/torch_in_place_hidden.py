"""A hidden state of a hand-written cell is multiplied in place, in a training loop."""

import torch
from torch import nn

LAYER = "mul"
CAUSE = "in-place"
FIX = "hidden = hidden.mul(keep) instead of hidden.mul_(keep)"
REPAIR = ("hidden.mul_(keep)", "hidden = hidden.mul(keep)")


def train(cell, read_out, batches):
    optimizer = torch.optim.SGD([*cell.parameters(), *read_out.parameters()], 0.1)
    for step, (words, label) in enumerate(batches):
        hidden = torch.zeros(len(label), 7)
        for word in words:
            hidden = torch.tanh(cell(torch.cat([word, hidden], 1)))
            keep = torch.sigmoid(hidden)
            hidden.mul_(keep)
        loss = nn.functional.cross_entropy(read_out(hidden), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"step {step}: {loss.item():.3f}") if step > 100 else None


train(nn.Linear(5 + 7, 7), nn.Linear(7, 3), [(torch.randn(4, 2, 5), torch.tensor([0, 2]))])
