"""The sentences of one batch have different lengths."""

import torch
from torch import nn
from torch.utils.data import DataLoader

LAYER = "stack"
CAUSE = "ragged"
FIX = (
    "DataLoader(sentences, batch_size=2, collate_fn=lambda batch: torch.nn.utils.rnn.pad_sequence(batch, "
    "batch_first=True)) instead of DataLoader(sentences, batch_size=2)"
)
REPAIR = (
    "batch_size=2)",
    "batch_size=2, collate_fn=lambda rows: nn.utils.rnn.pad_sequence(rows, batch_first=True))",
)

sentences = [torch.tensor([4, 2, 9]), torch.tensor([7, 1, 5, 3, 8])]
net = nn.Embedding(10, 6)
for batch in DataLoader(sentences, batch_size=2):
    net(batch)
