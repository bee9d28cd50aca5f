"""A loss is made with a word that it does not know, and torch says so itself."""

import torch
from torch import nn

RAISES = "ValueError"

nn.CrossEntropyLoss(reduction="avg")(nn.Linear(3, 4)(torch.randn(2, 3)), torch.tensor([0, 1]))
