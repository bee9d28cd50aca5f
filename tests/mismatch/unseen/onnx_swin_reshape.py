# Compares two pictures with an exported transformer, at another resolution than it was traced at.
import warnings

import numpy as np
import onnxruntime
import torch
import torch.nn as nn

warnings.filterwarnings("ignore")


class PatchEmbed(nn.Module):
    def __init__(self, dim, patch=4):
        super().__init__()
        self.proj = nn.Conv2d(3, dim, patch, patch)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x):
        x = self.proj(x)
        B, C, H, W = (int(s) for s in x.shape)
        x = x.view(-1, C, H * W).transpose(1, 2)
        return self.norm(x)


class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads, self.scale = heads, (dim // heads) ** -0.5
        self.qkv, self.proj = nn.Linear(dim, dim * 3), nn.Linear(dim, dim)
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, dim * 2), nn.GELU(), nn.Linear(dim * 2, dim))

    def forward(self, x):
        q, k, v = self.qkv(self.norm1(x)).chunk(3, dim=-1)
        x = x + self.proj(((q * self.scale) @ k.transpose(1, 2)).softmax(-1) @ v)
        return x + self.mlp(self.norm2(x))


class Matcher(nn.Module):
    def __init__(self, dim=48):
        super().__init__()
        self.patch_embed = PatchEmbed(dim)
        self.blocks = nn.Sequential(Block(dim, 4), Block(dim, 4))

    def forward(self, input0, input1):
        a = self.blocks(self.patch_embed(input0)).mean(1)
        b = self.blocks(self.patch_embed(input1)).mean(1)
        return torch.cosine_similarity(a, b, dim=1)


torch.manual_seed(0)
TRACED = (64, 64)
path = "best.onnx"
torch.onnx.export(
    Matcher().eval(),
    (torch.randn(1, 3, *TRACED), torch.randn(1, 3, *TRACED)),
    path,
    input_names=["input0", "input1"],
    output_names=["output"],
    dynamic_axes={"input0": {0: "batch", 2: "height", 3: "width"}, "input1": {0: "batch", 2: "height", 3: "width"},
                  "output": {0: "batch"}},
    dynamo=False,
)
session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
left = np.random.rand(2, 3, 96, 80).astype(np.float32)
right = np.random.rand(2, 3, 96, 80).astype(np.float32)
print(session.run(None, {"input0": left, "input1": right})[0])
