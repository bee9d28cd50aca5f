"""A picture of 192 by 256 has 48 by 64 patches, which are no multiples of the window 7."""

import torch
from torch import nn


def window_partition(x, window_size):
    B, H, W, C = x.shape
    x = x.view(B, H // window_size, window_size, W // window_size, window_size, C)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, window_size * window_size, C)


def window_reverse(windows, window_size, H, W):
    B = windows.shape[0] // (H // window_size * (W // window_size))
    x = windows.view(B, H // window_size, W // window_size, window_size, window_size, -1)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(B, H, W, -1)


LAYER = "blocks.0.view"
CAUSE = "reshape"
FIX = "feed x of (2, 3, 224, 224)"
REPAIR = ("torch.randn(2, 3, 192, 256)", "torch.randn(2, 3, 224, 224)")


class WindowBlock(nn.Module):
    def __init__(self, width, heads, window_size):
        super().__init__()
        self.window_size = window_size
        self.norm = nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)

    def forward(self, x):
        _, H, W, _ = x.shape
        windows = window_partition(self.norm(x), self.window_size)
        windows, _ = self.attn(windows, windows, windows, need_weights=False)
        return x + window_reverse(windows, self.window_size, H, W)


class Restorer(nn.Module):
    def __init__(self, width=24, window_size=7):
        super().__init__()
        self.patch = nn.Conv2d(3, width, 4, 4)
        self.blocks = nn.ModuleList(WindowBlock(width, 4, window_size) for _ in range(2))
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        x = self.patch(x).permute(0, 2, 3, 1)
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean((1, 2)))


torch.manual_seed(28)
model = Restorer()
images = torch.randn(2, 3, 192, 256)
print(model(images).shape)
