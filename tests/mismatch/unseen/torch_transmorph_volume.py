# Registers a moving brain scan to a fixed one with a windowed 3D transformer.
import torch
import torch.nn as nn
import torch.nn.functional as F

CONFIG = dict(
    img_size=(48, 48, 52),
    in_chans=2,
    patch_size=4,
    embed_dim=24,
    num_heads=4,
    window_size=(4, 4, 4),
    depth=2,
)


def window_partition(x, window_size):
    B, H, W, L, C = x.shape
    x = x.view(B, H // window_size[0], window_size[0], W // window_size[1], window_size[1],
               L // window_size[2], window_size[2], C)
    windows = x.permute(0, 1, 3, 5, 2, 4, 6, 7).contiguous()
    return windows.view(-1, window_size[0] * window_size[1] * window_size[2], C)


def window_reverse(windows, window_size, H, W, L):
    B = int(windows.shape[0] / (H * W * L / window_size[0] / window_size[1] / window_size[2]))
    x = windows.view(B, H // window_size[0], W // window_size[1], L // window_size[2],
                     window_size[0], window_size[1], window_size[2], -1)
    return x.permute(0, 1, 4, 2, 5, 3, 6, 7).contiguous().view(B, H, W, L, -1)


class Block(nn.Module):
    def __init__(self, dim, num_heads, window_size):
        super().__init__()
        self.window_size = window_size
        self.norm1 = nn.LayerNorm(dim)
        self.attn = nn.MultiheadAttention(dim, num_heads, batch_first=True)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, x):
        B, H, W, L, C = x.shape
        windows = window_partition(self.norm1(x), self.window_size)
        windows, _ = self.attn(windows, windows, windows, need_weights=False)
        x = x + window_reverse(windows, self.window_size, H, W, L)
        return x + self.mlp(self.norm2(x))


class TransMorph(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        dim, p = cfg["embed_dim"], cfg["patch_size"]
        self.patch_embed = nn.Conv3d(cfg["in_chans"], dim, kernel_size=p, stride=p)
        self.blocks = nn.ModuleList(
            Block(dim, cfg["num_heads"], cfg["window_size"]) for _ in range(cfg["depth"]))
        self.up = nn.ConvTranspose3d(dim, 16, kernel_size=p, stride=p)
        self.c1 = nn.Conv3d(cfg["in_chans"], 16, kernel_size=3, padding=1)
        self.reg_head = nn.Conv3d(32, 3, kernel_size=3, padding=1)

    def forward(self, x):
        source = x[:, 0:1]
        skip = F.leaky_relu(self.c1(x))
        f = self.patch_embed(x).permute(0, 2, 3, 4, 1).contiguous()
        for block in self.blocks:
            f = block(f)
        f = F.leaky_relu(self.up(f.permute(0, 4, 1, 2, 3)))
        flow = self.reg_head(torch.cat((f, skip), dim=1))
        theta = torch.eye(3, 4).repeat(x.shape[0], 1, 1)
        grid = F.affine_grid(theta, source.shape, align_corners=False)
        warped = F.grid_sample(source, grid + flow.permute(0, 2, 3, 4, 1), align_corners=False)
        return warped, flow


torch.manual_seed(0)
model = TransMorph(CONFIG)
x = torch.rand((1, 2, *CONFIG["img_size"]))
out, flow = model(x)
loss = F.mse_loss(out, x[:, 1:2]) + 0.01 * flow.pow(2).mean()
loss.backward()
print(out.size(), flow.size())
