# A language model whose projections attend to learned tokens of parameters; rotary positions; a greedy generator.
import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class Config:
    vocab_size, hidden_size, num_heads, num_layers = 90, 48, 4, 2
    param_tokens, rotary_pct, max_seq = 40, 1.0, 64


class RotaryEmbedding(nn.Module):
    def __init__(self, dim, max_seq_len, base=10000):
        super().__init__()
        self.dim, self.max_seq_len = dim, max_seq_len
        self.inv_freq = 1.0 / (base ** (torch.arange(0, dim, 2).float() / dim))
        self.cos_cached, self.sin_cached = self._prepare_cache(max_seq_len)

    def _prepare_cache(self, seq_len):
        t = torch.arange(seq_len).type_as(self.inv_freq)
        freqs = torch.einsum("i,j->ij", t, self.inv_freq)
        emb = torch.cat((freqs, freqs), dim=-1)
        return emb.cos()[:, None, None, :], emb.sin()[:, None, None, :]

    def forward(self, seq_len):
        return self.cos_cached[:seq_len], self.sin_cached[:seq_len]


def rotate_half(x):
    x1, x2 = x[..., :x.shape[-1] // 2], x[..., x.shape[-1] // 2:]
    return torch.cat((-x2, x1), dim=-1)


def apply_rotary_pos_emb_torch(q, k, cos, sin, offset=0):
    cos, sin = (
        cos[offset:q.shape[0] + offset, ...],
        sin[offset:q.shape[0] + offset, ...],
    )
    return (q * cos) + (rotate_half(q) * sin), (k * cos) + (rotate_half(k) * sin)


class Pattention(nn.Module):
    """Attends to tokens of parameters instead of a product with a weight."""

    def __init__(self, n_in, n_out, param_token_num):
        super().__init__()
        self.param_token_num = param_token_num
        self.key_param_tokens = nn.Parameter(torch.randn(param_token_num, n_in) * 0.02)
        self.value_param_tokens = nn.Parameter(torch.randn(param_token_num, n_out) * 0.02)

    def forward(self, inputs):
        weights = inputs @ self.key_param_tokens.T
        weights = weights / weights.norm(dim=-1, keepdim=True) * math.sqrt(self.param_token_num)
        return F.gelu(weights) @ self.value_param_tokens


class SelfAttention(nn.Module):
    def __init__(self, args):
        super().__init__()
        self.num_heads, self.head_size = args.num_heads, args.hidden_size // args.num_heads
        n, p = args.hidden_size, args.param_tokens
        self.query, self.key, self.value, self.dense = (Pattention(n, n, p) for _ in range(4))
        self.rotary_emb = RotaryEmbedding(int(self.head_size * args.rotary_pct), args.max_seq)

    def forward(self, hidden_states):
        bsz, seq_len, _ = hidden_states.shape
        # [b, sq, h] --> [b, sq, np, hn]
        shape = (bsz, seq_len, self.num_heads, self.head_size)
        q, k, v = (layer(hidden_states).view(shape) for layer in (self.query, self.key, self.value))
        cos, sin = self.rotary_emb(seq_len=seq_len)
        q, k = apply_rotary_pos_emb_torch(q, k, cos, sin)
        q, k, v = (t.transpose(1, 2) for t in (q, k, v))
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.dense(out.transpose(1, 2).reshape(bsz, seq_len, -1))


class Layer(nn.Module):
    def __init__(self, args):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(args.hidden_size), nn.LayerNorm(args.hidden_size)
        self.attention = SelfAttention(args)
        self.mlp = Pattention(args.hidden_size, args.hidden_size, 4 * args.param_tokens)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Tokenformer(nn.Module):
    def __init__(self, args):
        super().__init__()
        self.word_embeddings = nn.Embedding(args.vocab_size, args.hidden_size)
        self.layers = nn.ModuleList(Layer(args) for _ in range(args.num_layers))
        self.norm = nn.LayerNorm(args.hidden_size)
        self.lm_head = nn.Linear(args.hidden_size, args.vocab_size, bias=False)

    def forward(self, tokens):
        x = self.word_embeddings(tokens)
        for layer in self.layers:
            x = layer(x)
        return self.lm_head(self.norm(x))


@torch.no_grad()
def generate(model, prompts, max_new_tokens=10):
    tokens = prompts
    for _ in range(max_new_tokens):
        logits = model(tokens)
        tokens = torch.cat([tokens, logits[:, -1].argmax(-1, keepdim=True)], dim=1)
    return tokens


torch.manual_seed(0)
model = Tokenformer(Config()).eval()
prompts = torch.randint(0, Config.vocab_size, (9, 7))
print("generated", tuple(generate(model, prompts).shape))
