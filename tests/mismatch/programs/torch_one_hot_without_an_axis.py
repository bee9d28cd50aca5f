"""Class indices lack the axis along which they are scattered."""

import torch

LAYER = "scatter_"
CAUSE = "missing-axis"
FIX = (
    "torch.zeros(9, 4).scatter_(1, labels.unsqueeze(1), 1.0) instead of torch.zeros(9, 4).scatter_(1, "
    "labels, 1.0)"
)
REPAIR = ("scatter_(1, labels, 1.0)", "scatter_(1, labels[:, None], 1.0)")

labels = torch.arange(9) % 4
targets = torch.zeros(9, 4).scatter_(1, labels, 1.0)
