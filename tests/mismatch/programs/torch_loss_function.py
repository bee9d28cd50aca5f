"""The logits of a language model are flattened, its labels are not."""

import torch
from torch import nn
from torch.nn import functional as F

LAYER = "cross_entropy"
CAUSE = "targets"
FIX = "pass y.flatten(0)"
REPAIR = ("F.cross_entropy(out, y)", "F.cross_entropy(out, y.flatten())")


model = nn.Sequential(nn.Embedding(50, 16), nn.Linear(16, 50))
x, y = torch.randint(50, (4, 9)), torch.randint(50, (4, 9))
out = model(x).view(-1, 50)
loss = F.cross_entropy(out, y)
