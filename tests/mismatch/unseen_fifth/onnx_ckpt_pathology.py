"""Features of pathology patches with a ViT of the shelf and the weights of a pathology foundation model."""
import os
import tempfile

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)


class Attention(nn.Module):
    def __init__(self, dim, num_heads):
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(dim, dim * 3)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        B, N, C = x.shape
        qkv = self.qkv(x).reshape(B, N, 3, self.num_heads, C // self.num_heads).permute(2, 0, 3, 1, 4)
        x = F.scaled_dot_product_attention(qkv[0], qkv[1], qkv[2])
        return self.proj(x.transpose(1, 2).reshape(B, N, C))


class Block(nn.Module):
    def __init__(self, dim, num_heads):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn = Attention(dim, num_heads)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class VisionTransformer(nn.Module):
    """vision_transformer.py"""

    def __init__(self, img_size=224, patch_size=16, in_chans=3, embed_dim=32, depth=2, num_heads=4, reg_tokens=0):
        super().__init__()
        self.num_prefix_tokens = 1 + reg_tokens
        num_patches = (img_size // patch_size) ** 2
        self.patch_embed = nn.Conv2d(in_chans, embed_dim, kernel_size=patch_size, stride=patch_size)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, embed_dim))
        if reg_tokens:
            self.reg_token = nn.Parameter(torch.zeros(1, reg_tokens, embed_dim))
        self.pos_embed = nn.Parameter(0.02 * torch.randn(1, num_patches + self.num_prefix_tokens, embed_dim))
        self.blocks = nn.ModuleList(Block(embed_dim, num_heads) for _ in range(depth))
        self.norm = nn.LayerNorm(embed_dim)

    def forward(self, x):
        x = self.patch_embed(x).flatten(2).transpose(1, 2)
        prefix = [self.cls_token.expand(len(x), -1, -1)]
        if self.num_prefix_tokens > 1:
            prefix.append(self.reg_token.expand(len(x), -1, -1))
        x = torch.cat([*prefix, x], dim=1) + self.pos_embed
        for blk in self.blocks:
            x = blk(x)
        return self.norm(x)[:, 0]


def release(path):
    """stands for checkpoint_HE.pth: pretrained with a class token and a second one, for the pretext task"""
    pretrained = VisionTransformer(reg_tokens=1)
    state_dict = {k.replace("reg_token", "pretext_token"): v for k, v in pretrained.state_dict().items()}
    torch.save({"state_dict": {"module.base_encoder." + k: v for k, v in state_dict.items()}, "epoch": 99}, path)


def load_pretrained(model, path):
    checkpoint = torch.load(path, map_location="cpu")
    state_dict = checkpoint["state_dict"]
    for k in list(state_dict.keys()):
        # retain only base_encoder up to before the head
        if k.startswith("module.base_encoder"):
            name = k[len("module.base_encoder."):]
            state_dict[name.replace("pretext_token", "reg_token")] = state_dict[k]
        # delete renamed or unused k
        del state_dict[k]
    msg = model.load_state_dict(state_dict, strict=False)
    print("missing", msg.missing_keys, "unexpected", msg.unexpected_keys)
    return model


path = os.path.join(tempfile.mkdtemp(), "checkpoint_HE.pth")
release(path)

model = VisionTransformer(img_size=224, patch_size=16)
model = load_pretrained(model, path).eval()

patches = torch.rand(3, 3, 224, 224)
mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
with torch.no_grad():
    features = model((patches - mean[:, None, None]) / std[:, None, None])
print("features", tuple(features.shape))
