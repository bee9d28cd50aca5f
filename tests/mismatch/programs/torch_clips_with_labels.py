"""Clips of other lengths are collated together with their labels."""

import torch
from torch.utils.data import DataLoader

LAYER = "stack"
CAUSE = "ragged"
FIX = (
    "DataLoader(clips, batch_size=2, collate_fn=lambda batch: (torch.nn.utils.rnn.pad_sequence([one[0]."
    "movedim(1, 0) for one in batch], batch_first=True).movedim(1, 2), torch.utils.data.default_collate(["
    "one[1] for one in batch]))) instead of DataLoader(clips, batch_size=2)"
)
REPAIR = ("torch.randn(1, length)", "torch.randn(1, 400)[:, :50]")

clips = [(torch.randn(1, length), length % 3) for length in (50, 70, 64, 90)]
for waves, labels in DataLoader(clips, batch_size=2):
    print(waves.shape, labels.shape)
