"""The pictures of one batch have different sizes."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

LAYER = "stack"
CAUSE = "ragged"
FIX = (
    "DataLoader(Pictures(), batch_size=2, collate_fn=lambda batch: torch.stack([torch.nn.functional."
    "interpolate(one[None], size=(20, 30))[0] for one in batch])) instead of DataLoader(Pictures(), "
    "batch_size=2)"
)
REPAIR = (
    "return self.pictures[at]",
    "return nn.functional.interpolate(self.pictures[at][None], (20, 30))[0]",
)


class Pictures(Dataset):
    def __init__(self):
        self.pictures = [torch.randn(3, 20, 30), torch.randn(3, 24, 28)]

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, at):
        return self.pictures[at]


net = nn.Conv2d(3, 4, 3)
for batch in DataLoader(Pictures(), batch_size=2):
    net(batch)
