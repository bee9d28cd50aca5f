# Outlines objects by clicks with an exported prompt decoder.
import math
import warnings

import numpy as np
import onnxruntime
import torch
import torch.nn as nn

warnings.filterwarnings("ignore")


class Attention(nn.Module):
    def __init__(self, dim, num_heads):
        super().__init__()
        self.num_heads = num_heads
        self.q_proj, self.k_proj, self.v_proj = nn.Linear(dim, dim), nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.out_proj = nn.Linear(dim, dim)

    def _separate_heads(self, x):
        b, n, c = (int(s) for s in x.shape)
        return x.reshape(b, n, self.num_heads, c // self.num_heads).transpose(1, 2)

    def forward(self, q, k, v):
        q, k, v = (self._separate_heads(p(x)) for p, x in ((self.q_proj, q), (self.k_proj, k), (self.v_proj, v)))
        attn = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(-1)
        return self.out_proj((attn @ v).transpose(1, 2).flatten(2))


class PromptDecoder(nn.Module):
    """Clicks and an image embedding to masks."""

    def __init__(self, dim=32, num_heads=4, masks=3, size=256):
        super().__init__()
        self.size = size
        self.register_buffer("gaussian", torch.randn(2, dim // 2))
        self.point_embeddings = nn.Embedding(4, dim)
        self.mask_tokens = nn.Parameter(torch.randn(masks + 1, dim))
        self.self_attn, self.to_image = Attention(dim, num_heads), Attention(dim, num_heads)
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.upscale = nn.Sequential(nn.ConvTranspose2d(dim, dim // 4, 2, 2), nn.GELU(), nn.Conv2d(dim // 4, dim, 1))
        self.hyper, self.iou = nn.Linear(dim, dim), nn.Linear(dim, masks)

    def forward(self, image_embeddings, point_coords, point_labels):
        coords = (2 * (point_coords / self.size) - 1) @ self.gaussian * (2 * math.pi)
        points = torch.cat([coords.sin(), coords.cos()], dim=-1) + self.point_embeddings(point_labels)
        tokens = torch.cat([self.mask_tokens.unsqueeze(0), points], dim=1)
        image = image_embeddings.flatten(2).transpose(1, 2)
        tokens = self.norm1(tokens + self.self_attn(tokens, tokens, tokens))
        tokens = self.norm2(tokens + self.to_image(tokens, image, image))
        up = self.upscale(image_embeddings)
        masks = torch.einsum("bnc,bchw->bnhw", self.hyper(tokens[:, 1:4]), up)
        return masks, self.iou(tokens[:, 0])


def export(path, points=6):
    torch.manual_seed(0)
    example = (torch.randn(1, 32, 16, 16), torch.rand(1, points, 2) * 255, torch.randint(0, 4, (1, points)))
    names = ["image_embeddings", "point_coords", "point_labels"]
    torch.onnx.export(PromptDecoder().eval(), example, path, input_names=names, output_names=["masks", "iou"],
                      dynamic_axes={"point_coords": {1: "num_points"}, "point_labels": {1: "num_points"}},
                      dynamo=False)


class Editor:
    """Collects clicks and asks for a mask after each."""

    def __init__(self, path, embedding):
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        self.embedding, self.clicks, self.labels = embedding, [], []

    def add_click(self, x, y, positive=True):
        self.clicks.append([x, y])
        self.labels.append(1 if positive else 0)
        coords = np.array(self.clicks, np.float32)[None]
        labels = np.array(self.labels, np.int64)[None]
        inputs = {"image_embeddings": self.embedding, "point_coords": coords, "point_labels": labels}
        masks, iou = self.session.run(None, inputs)
        return masks[0, iou[0].argmax()] > 0


export("decoder.onnx")
editor = Editor("decoder.onnx", np.random.default_rng(0).normal(size=(1, 32, 16, 16)).astype(np.float32))
for x, y in [(40.0, 60.0), (80.0, 64.0), (33.0, 120.0)]:
    mask = editor.add_click(x, y)
print("pixels", mask.shape)
