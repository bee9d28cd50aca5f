"""The last place of a ring buffer is smaller than a batch."""

import torch

LAYER = "setitem"
CAUSE = "stored"
FIX = "bank[at : at + 12] = keys[:len(bank[at : at + 12])] instead of bank[at : at + 12] = keys"
REPAIR = ("torch.zeros(30, 4)", "torch.zeros(36, 4)")

bank = torch.zeros(30, 4)
for at in range(0, 36, 12):
    keys = torch.randn(12, 4)
    bank[at : at + 12] = keys
