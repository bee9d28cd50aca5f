"""Cross entropy with a distribution for each sample: the targets look one-hot, and are meant so."""

import torch
from torch import nn

loss = nn.CrossEntropyLoss()(torch.randn(3, 10, 4), torch.rand(3, 10, 4).softmax(1))
assert loss.shape == ()
