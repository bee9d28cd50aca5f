"""A vision transformer is built for larger images than it was trained on."""

import torch
from torch import nn

LAYER = "ViT"
CAUSE = "position-table"
FIX = (
    "model.load_state_dict({k: torch.cat([v[:, :1], torch.nn.functional.interpolate(v[:, 1:].re"
    'shape(1, 8, 8, 48).permute(0, 3, 1, 2), size=(12, 12), mode="bicubic").flatten(2).transpos'
    'e(1, 2)], 1) if k == "pos_embed" else v for k, v in state.items()})'
)
REPAIR = (
    "model.load_state_dict(state)",
    (
        "model.load_state_dict({k: torch.cat([v[:, :1], torch.nn.functional.interpolate(v[:, 1:].re"
        'shape(1, 8, 8, 48).permute(0, 3, 1, 2), size=(12, 12), mode="bicubic").flatten(2).transpos'
        'e(1, 2)], 1) if k == "pos_embed" else v for k, v in state.items()})'
    ),
)


class ViT(nn.Module):
    def __init__(self, image=64, patch=8, dim=48, classes=10):
        super().__init__()
        self.patch_embed = nn.Conv2d(3, dim, patch, patch)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.randn(1, (image // patch) ** 2 + 1, dim))
        self.block = nn.TransformerEncoderLayer(dim, 4, 2 * dim, batch_first=True)
        self.head = nn.Linear(dim, classes)

    def forward(self, x):
        x = self.patch_embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        return self.head(self.block(x)[:, 0])


state = ViT(image=64).state_dict()
model = ViT(image=96)
model.load_state_dict(state)
model(torch.randn(2, 3, 96, 96))
