"""A mask for each sample has to be repeated for each head."""

import torch
from torch import nn

LAYER = "attn"
CAUSE = "mask"
FIX = 'mask.repeat_interleave(4, 0) before "attn"'
REPAIR = ("attn_mask=mask,", "attn_mask=mask.repeat_interleave(4, 0),")


class RelationBlock(nn.Module):
    def __init__(self, width=40, heads=4):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ff = nn.Sequential(nn.Linear(width, 80), nn.GELU(), nn.Linear(80, width))

    def forward(self, boxes, mask):
        h = self.norm(boxes)
        h, _ = self.attn(h, h, h, attn_mask=mask, need_weights=False)
        boxes = boxes + h
        return boxes + self.ff(boxes)


torch.manual_seed(3)
block = RelationBlock()
boxes = torch.randn(3, 18, 40)
near = torch.rand(3, 18, 18) > 0.5
near = near & ~torch.eye(18, dtype=torch.bool)
out = block(boxes, near)
out.sum().backward()
