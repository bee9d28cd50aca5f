# Classifies larger pictures with a tokens-to-token vision transformer.
import math

import torch
import torch.nn as nn


class Attention(nn.Module):
    def __init__(self, dim, num_heads=4, in_dim=None):
        super().__init__()
        self.num_heads, self.in_dim = num_heads, in_dim or dim
        self.qkv = nn.Linear(dim, self.in_dim * 3, bias=False)
        self.proj = nn.Linear(self.in_dim, self.in_dim)

    def forward(self, x):
        B, N, _ = x.shape
        qkv = self.qkv(x).reshape(B, N, 3, self.num_heads, self.in_dim // self.num_heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv
        attn = (q @ k.transpose(-2, -1)) / math.sqrt(q.shape[-1])
        return self.proj((attn.softmax(-1) @ v).transpose(1, 2).reshape(B, N, self.in_dim))


class TokenTransformer(nn.Module):
    def __init__(self, dim, in_dim):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attn = Attention(dim, num_heads=1, in_dim=in_dim)
        self.norm2 = nn.LayerNorm(in_dim)
        self.mlp = nn.Sequential(nn.Linear(in_dim, in_dim), nn.GELU(), nn.Linear(in_dim, in_dim))

    def forward(self, x):
        x = self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class T2TModule(nn.Module):
    def __init__(self, img_size=224, in_chans=3, embed_dim=48, token_dim=16):
        super().__init__()
        self.soft_split0 = nn.Unfold(kernel_size=(7, 7), stride=(4, 4), padding=(2, 2))
        self.soft_split1 = nn.Unfold(kernel_size=(3, 3), stride=(2, 2), padding=(1, 1))
        self.soft_split2 = nn.Unfold(kernel_size=(3, 3), stride=(2, 2), padding=(1, 1))
        self.attention1 = TokenTransformer(in_chans * 49, token_dim)
        self.attention2 = TokenTransformer(token_dim * 9, token_dim)
        self.project = nn.Linear(token_dim * 9, embed_dim)
        self.num_patches = (img_size // 16) ** 2

    def forward(self, x):
        x = self.soft_split0(x).transpose(1, 2)
        for attention, split in ((self.attention1, self.soft_split1), (self.attention2, self.soft_split2)):
            x = attention(x)
            B, N, C = x.shape
            side = int(math.sqrt(N))
            x = split(x.transpose(1, 2).reshape(B, C, side, side)).transpose(1, 2)
        return self.project(x)


class Block(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn = Attention(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, dim * 3), nn.GELU(), nn.Linear(dim * 3, dim))

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class T2T_ViT(nn.Module):
    def __init__(self, img_size=224, num_classes=10, embed_dim=48, depth=3):
        super().__init__()
        self.tokens_to_token = T2TModule(img_size, embed_dim=embed_dim)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, embed_dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, self.tokens_to_token.num_patches + 1, embed_dim))
        self.blocks = nn.ModuleList([Block(embed_dim) for _ in range(depth)])
        self.norm = nn.LayerNorm(embed_dim)
        self.head = nn.Linear(embed_dim, num_classes)

    def forward_features(self, x):
        x = self.tokens_to_token(x)
        cls_tokens = self.cls_token.expand(x.shape[0], -1, -1)
        x = torch.cat((cls_tokens, x), dim=1)
        x = x + self.pos_embed
        for blk in self.blocks:
            x = blk(x)
        return self.norm(x)[:, 0]

    def forward(self, x):
        return self.head(self.forward_features(x))


def t2t_vit_14(**kwargs):
    return T2T_ViT(embed_dim=48, depth=3, **kwargs)


torch.manual_seed(0)
model = t2t_vit_14(num_classes=7).eval()
inp = torch.rand(2, 3, 288, 288)
with torch.no_grad():
    out = model(inp)
print(out.shape)
