"""Text to picture: long prompts are encoded in parts of 20 tokens, then sampled with guidance."""
import re

import torch
import torch.nn as nn

torch.manual_seed(0)

MAX_TOKENS = 20
BOS, EOS = 1, 2
words = {}


def tokenize(text):
    """Numbers of words, made when they are first seen."""
    return [words.setdefault(w, len(words) + 3) for w in re.findall(r"\w+|[,.]", text.lower())]


class TextEncoder(nn.Module):
    def __init__(self, vocab=200, width=28, layers=2):
        super().__init__()
        self.token_embedding = nn.Embedding(vocab, width)
        self.position_embedding = nn.Embedding(MAX_TOKENS, width)
        layer = nn.TransformerEncoderLayer(width, 4, 56, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.final_layer_norm = nn.LayerNorm(width)

    def forward(self, ids):
        x = self.token_embedding(ids) + self.position_embedding(torch.arange(ids.size(1)))
        return self.final_layer_norm(self.encoder(x))


class CrossAttention(nn.Module):
    def __init__(self, query_dim, context_dim, heads=3, dim_head=10):
        super().__init__()
        self.h, self.d = heads, dim_head
        self.to_q = nn.Linear(query_dim, heads * dim_head, bias=False)
        self.to_k = nn.Linear(context_dim, heads * dim_head, bias=False)
        self.to_v = nn.Linear(context_dim, heads * dim_head, bias=False)
        self.to_out = nn.Linear(heads * dim_head, query_dim)

    def split(self, x):
        return x.view(x.size(0), -1, self.h, self.d).transpose(1, 2)

    def forward(self, x, context):
        q, k, v = self.split(self.to_q(x)), self.split(self.to_k(context)), self.split(self.to_v(context))
        w = torch.softmax(q @ k.transpose(-1, -2) / self.d ** 0.5, -1)
        return self.to_out((w @ v).transpose(1, 2).flatten(2))


class Denoiser(nn.Module):
    def __init__(self, channels=4, width=24, context_dim=28):
        super().__init__()
        self.conv_in = nn.Conv2d(channels, width, 3, padding=1)
        self.time = nn.Linear(1, width)
        self.attn = CrossAttention(width, context_dim)
        self.conv_out = nn.Conv2d(width, channels, 3, padding=1)

    def forward(self, x, t, context):
        h = self.conv_in(x) + self.time(t[:, None])[:, :, None, None]
        b, c, hh, ww = h.shape
        h = h + self.attn(h.flatten(2).transpose(1, 2), context).transpose(1, 2).reshape(b, c, hh, ww)
        return self.conv_out(torch.nn.functional.silu(h))


class Pipeline:
    def __init__(self):
        self.text_encoder, self.unet = TextEncoder().eval(), Denoiser().eval()

    def chunks(self, text):
        """Parts of at most MAX_TOKENS - 2 tokens, each between BOS and EOS and filled up with EOS."""
        tokens, size = tokenize(text), MAX_TOKENS - 2
        parts = [tokens[i:i + size] for i in range(0, len(tokens), size)] or [[]]
        return [[BOS, *part, *[EOS] * (MAX_TOKENS - 1 - len(part))] for part in parts]

    def get_learned_conditioning(self, text):
        encoded = [self.text_encoder(torch.tensor([ids])) for ids in self.chunks(text)]
        return torch.cat(encoded, dim=1)

    @torch.no_grad()
    def __call__(self, prompt, negative_prompt="", steps=4, scale=7.5, height=12, width=16):
        cond = self.get_learned_conditioning(prompt)
        uncond = self.get_learned_conditioning(negative_prompt)
        x = torch.randn(1, 4, height, width)
        for i in range(steps):
            t = torch.full((2,), 1 - i / steps)
            cond_in = torch.cat([uncond, cond])
            e_uncond, e_cond = self.unet(torch.cat([x, x]), t, cond_in).chunk(2)
            x = x - (e_uncond + scale * (e_cond - e_uncond)) / steps
        return x


pipe = Pipeline()
print("short", pipe("a lighthouse at dawn, oil painting").shape)
image = pipe("portrait of an old fisherman with a long white beard, sitting in a wooden boat, calm sea, soft light of "
             "the evening, highly detailed, sharp focus, by a dutch master", negative_prompt="blurry, low quality")
print("long", image.shape)
