"""A shifted-window transformer with a relative position bias and patch merging."""
import torch
from torch import nn


def window_partition(x, window):
    B, H, W, C = x.shape
    x = x.view(B, H // window, window, W // window, window, C)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, window * window, C)


def window_reverse(windows, window, H, W):
    B = windows.shape[0] // (H * W // window // window)
    x = windows.view(B, H // window, W // window, window, window, -1)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(B, H, W, -1)


class WindowAttention(nn.Module):
    def __init__(self, dim, window, heads):
        super().__init__()
        self.heads = heads
        self.bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        coords = torch.stack(torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")).flatten(1)
        relative = (coords[:, :, None] - coords[:, None, :]).permute(1, 2, 0) + window - 1
        self.register_buffer("index", relative[..., 0] * (2 * window - 1) + relative[..., 1])
        self.qkv = nn.Linear(dim, dim * 3)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        n, tokens, C = x.shape
        qkv = self.qkv(x).reshape(n, tokens, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv[0], qkv[1], qkv[2]
        attention = q @ k.transpose(-2, -1) * (C // self.heads) ** -0.5
        bias = self.bias_table[self.index.view(-1)].view(tokens, tokens, -1).permute(2, 0, 1)
        attention = (attention + bias.unsqueeze(0)).softmax(dim=-1)
        return self.proj((attention @ v).transpose(1, 2).reshape(n, tokens, C))


class SwinBlock(nn.Module):
    def __init__(self, dim, resolution, heads, window=4, shift=0):
        super().__init__()
        self.resolution, self.window, self.shift = resolution, window, shift
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn = WindowAttention(dim, window, heads)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, x):
        H, W = self.resolution
        B, L, C = x.shape
        shifted = torch.roll(self.norm1(x).view(B, H, W, C), shifts=(-self.shift, -self.shift), dims=(1, 2))
        windows = self.attn(window_partition(shifted, self.window))
        merged = window_reverse(windows, self.window, H, W)
        x = x + torch.roll(merged, shifts=(self.shift, self.shift), dims=(1, 2)).view(B, L, C)
        return x + self.mlp(self.norm2(x))


class PatchMerging(nn.Module):
    def __init__(self, resolution, dim):
        super().__init__()
        self.resolution = resolution
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)
        self.norm = nn.LayerNorm(4 * dim)

    def forward(self, x):
        H, W = self.resolution
        x = x.view(x.shape[0], H, W, -1)
        parts = [x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)]
        x = torch.cat(parts, dim=-1).flatten(1, 2)
        return self.reduction(self.norm(x))


class Swin(nn.Module):
    def __init__(self, size=(32, 48), patch=2, dim=12, classes=7):
        super().__init__()
        grid = (size[0] // patch, size[1] // patch)
        self.patch_embed = nn.Conv2d(3, dim, kernel_size=patch, stride=patch)
        self.stage1 = nn.Sequential(SwinBlock(dim, grid, 3), SwinBlock(dim, grid, 3, shift=2))
        self.merge = PatchMerging(grid, dim)
        half = (grid[0] // 2, grid[1] // 2)
        self.stage2 = nn.Sequential(SwinBlock(2 * dim, half, 6), SwinBlock(2 * dim, half, 6, shift=2))
        self.norm = nn.LayerNorm(2 * dim)
        self.head = nn.Linear(2 * dim, classes)

    def forward(self, x):
        x = self.patch_embed(x).flatten(2).transpose(1, 2)
        x = self.stage2(self.merge(self.stage1(x)))
        return self.head(self.norm(x).mean(dim=1))


torch.manual_seed(0)
model = Swin()
images, labels = torch.randn(5, 3, 32, 48), torch.randint(0, 7, (5,))
logits = model(images)
loss = nn.functional.cross_entropy(logits, labels)
loss.backward()
print("logits", tuple(logits.shape), "loss", tuple(loss.shape))
