# Fine-tunes an image classifier for four kinds of defects, starting from a checkpoint.
import os
import tempfile

import torch
import torch.nn as nn


class Block(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dwconv = nn.Conv2d(dim, dim, 7, padding=3, groups=dim)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.pwconv1 = nn.Linear(dim, 4 * dim)
        self.pwconv2 = nn.Linear(4 * dim, dim)
        self.gamma = nn.Parameter(1e-6 * torch.ones(dim))

    def forward(self, x):
        y = self.norm(self.dwconv(x).permute(0, 2, 3, 1))
        y = self.gamma * self.pwconv2(nn.functional.gelu(self.pwconv1(y)))
        return x + y.permute(0, 3, 1, 2)


class Backbone(nn.Module):
    def __init__(self, num_classes=1000, dims=(24, 48, 96), depths=(1, 1, 2)):
        super().__init__()
        self.stages = nn.ModuleList()
        c = 3
        for dim, depth in zip(dims, depths):
            stride = 4 if c == 3 else 2
            self.stages.append(nn.Sequential(nn.Conv2d(c, dim, stride, stride), *[Block(dim) for _ in range(depth)]))
            c = dim
        self.norm = nn.LayerNorm(c)
        self.head = nn.Linear(c, num_classes)

    def forward(self, x):
        for stage in self.stages:
            x = stage(x)
        return self.head(self.norm(x.mean((2, 3))))


def download_checkpoint(folder):
    """Stands for the weights that are trained on ImageNet."""
    path = os.path.join(folder, "internimage_t_1k_224.pth")
    torch.save({"model": Backbone().state_dict(), "epoch": 300}, path)
    return path


def load_pretrained(model, path):
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    state_dict = checkpoint["model"]
    msg = model.load_state_dict(state_dict, strict=False)
    print("missing:", msg.missing_keys)


torch.manual_seed(0)
with tempfile.TemporaryDirectory() as folder:
    model = Backbone(num_classes=4)
    load_pretrained(model, download_checkpoint(folder))

optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
images, labels = torch.randn(4, 3, 96, 96), torch.tensor([0, 3, 1, 2])
loss = nn.functional.cross_entropy(model(images), labels)
loss.backward()
optimizer.step()
print("loss", loss.item())
