"""Text to video: a diffusion transformer, sampled with the nodes of a workflow."""
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(9)

# width and number of tokens of the text encoders in models/text_encoders
TEXT_ENCODERS = {
    "clip_l.safetensors": {"vocab": 300, "width": 24, "max_tokens": 77},
    "umt5-xxl-enc-bf16.safetensors": {"vocab": 500, "width": 64, "max_tokens": 128},
}

WAN_CONFIG = {"in_dim": 8, "dim": 48, "num_heads": 4, "num_layers": 2, "text_dim": 64, "freq_dim": 16}


class TextEncoder(nn.Module):
    def __init__(self, vocab, width, max_tokens):
        super().__init__()
        self.max_tokens = max_tokens
        self.token_embedding = nn.Embedding(vocab, width)
        self.block = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.0, batch_first=True)

    def encode(self, prompt):
        ids = [1 + sum(map(ord, word)) % (self.token_embedding.num_embeddings - 1) for word in prompt.split()]
        ids = (ids + [0] * self.max_tokens)[: self.max_tokens]
        return self.block(self.token_embedding(torch.tensor([ids])))


def load_text_encoder(model_name):
    return TextEncoder(**TEXT_ENCODERS[model_name]).eval()


class WanAttentionBlock(nn.Module):
    def __init__(self, dim, num_heads):
        super().__init__()
        self.norm1, self.norm2, self.norm3 = nn.LayerNorm(dim), nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.self_attn = nn.MultiheadAttention(dim, num_heads, batch_first=True)
        self.cross_attn = nn.MultiheadAttention(dim, num_heads, batch_first=True)
        self.ffn = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(approximate="tanh"), nn.Linear(2 * dim, dim))

    def forward(self, x, e, context):
        n = self.norm1(x) + e
        x = x + self.self_attn(n, n, n, need_weights=False)[0]
        x = x + self.cross_attn(self.norm3(x), context, context, need_weights=False)[0]
        return x + self.ffn(self.norm2(x) + e)


class WanModel(nn.Module):
    def __init__(self, in_dim, dim, num_heads, num_layers, text_dim, freq_dim, patch_size=(1, 2, 2)):
        super().__init__()
        self.patch_size, self.freq_dim, self.in_dim = patch_size, freq_dim, in_dim
        self.patch_embedding = nn.Conv3d(in_dim, dim, kernel_size=patch_size, stride=patch_size)
        self.text_embedding = nn.Sequential(nn.Linear(text_dim, dim), nn.GELU(approximate="tanh"), nn.Linear(dim, dim))
        self.time_embedding = nn.Sequential(nn.Linear(freq_dim, dim), nn.SiLU(), nn.Linear(dim, dim))
        self.blocks = nn.ModuleList(WanAttentionBlock(dim, num_heads) for _ in range(num_layers))
        self.head = nn.Linear(dim, in_dim * patch_size[1] * patch_size[2])

    def forward(self, x, t, context):
        b, c, f, h, w = x.shape
        x = self.patch_embedding(x).flatten(2).transpose(1, 2)
        freqs = t.view(-1, 1) / (10000 ** (torch.arange(self.freq_dim // 2) / (self.freq_dim // 2)))
        e = self.time_embedding(torch.cat([freqs.cos(), freqs.sin()], 1)).unsqueeze(1)
        context = self.text_embedding(context)
        for block in self.blocks:
            x = block(x, e, context)
        x = self.head(x).view(b, f, h // 2, w // 2, 2, 2, c)
        return x.permute(0, 6, 1, 2, 4, 3, 5).reshape(b, c, f, h, w)


def text_encode(text_encoder, positive_prompt, negative_prompt):
    return {"prompt_embeds": text_encoder.encode(positive_prompt),
            "negative_prompt_embeds": text_encoder.encode(negative_prompt)}


@torch.no_grad()
def sampler(model, text_embeds, steps=3, cfg=6.0, shift=5.0, frames=5, size=(16, 24)):
    latents = torch.randn(1, model.in_dim, frames, *size)
    sigmas = torch.linspace(1.0, 0.0, steps + 1)
    sigmas = shift * sigmas / (1 + (shift - 1) * sigmas)
    for i in range(steps):
        t = sigmas[i:i + 1] * 1000
        cond = model(latents, t, text_embeds["prompt_embeds"])
        uncond = model(latents, t, text_embeds["negative_prompt_embeds"])
        latents = latents + (sigmas[i + 1] - sigmas[i]) * (uncond + cfg * (cond - uncond))
    return latents


# the workflow
encoder = load_text_encoder("clip_l.safetensors")
embeds = text_encode(encoder, "a fox runs through deep snow at dawn", "blurry low quality static")
transformer = WanModel(**WAN_CONFIG).eval()
samples = sampler(transformer, embeds, steps=3)
print("samples", tuple(samples.shape), "mean", samples.mean().item())
