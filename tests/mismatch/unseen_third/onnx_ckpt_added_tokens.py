# Writes sewing patterns with a language model whose tokenizer gets tokens of its own.
import os

import torch
import torch.nn as nn


class Cfg:
    """What stands in the configuration of the inference."""

    version = "aipparel_pretrained.pth"
    base_vocab = 320
    hidden_size = 32
    num_layers = 2
    use_mm_start_end = True
    panel_classes = 12


class Tokenizer:
    def __init__(self, size):
        self.ids = {f"t{i}": i for i in range(size)}

    def __len__(self):
        return len(self.ids)

    def add_tokens(self, tokens, special_tokens=False):
        added = [t for t in tokens if t not in self.ids]
        for token in added:
            self.ids[token] = len(self.ids)
        return len(added)

    def __call__(self, text):
        return torch.tensor([[self.ids[t] for t in text.split()]])


class DecoderLayer(nn.Module):
    def __init__(self, dim, heads=4):
        super().__init__()
        self.self_attn = nn.MultiheadAttention(dim, heads, bias=False, batch_first=True)
        self.input_layernorm, self.post_attention_layernorm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, dim * 2), nn.SiLU(), nn.Linear(dim * 2, dim))

    def forward(self, x):
        t = x.size(1)
        mask = torch.ones(t, t, dtype=torch.bool).triu(1)
        h = self.input_layernorm(x)
        x = x + self.self_attn(h, h, h, attn_mask=mask, need_weights=False)[0]
        return x + self.mlp(self.post_attention_layernorm(x))


class DecoderModel(nn.Module):
    def __init__(self, vocab_size, dim, num_layers):
        super().__init__()
        self.embed_tokens = nn.Embedding(vocab_size, dim)
        self.layers = nn.ModuleList(DecoderLayer(dim) for _ in range(num_layers))
        self.norm = nn.LayerNorm(dim)

    def forward(self, ids):
        x = self.embed_tokens(ids)
        for layer in self.layers:
            x = layer(x)
        return self.norm(x)


class AIpparelForCausalLM(nn.Module):
    def __init__(self, vocab_size, hidden_size, num_layers):
        super().__init__()
        self.model = DecoderModel(vocab_size, hidden_size, num_layers)
        self.lm_head = nn.Linear(hidden_size, vocab_size, bias=False)
        self.trans_regressor = nn.Sequential(nn.Linear(hidden_size, 24), nn.ReLU(), nn.Linear(24, 7))

    def resize_token_embeddings(self, size):
        old, dim = self.model.embed_tokens, self.lm_head.in_features
        self.model.embed_tokens, head = nn.Embedding(size, dim), nn.Linear(dim, size, bias=False)
        keep = min(size, old.num_embeddings)
        with torch.no_grad():
            self.model.embed_tokens.weight[:keep] = old.weight[:keep]
            head.weight[:keep] = self.lm_head.weight[:keep]
        self.lm_head = head

    @torch.no_grad()
    def generate(self, ids, max_new_tokens=6):
        for _ in range(max_new_tokens):
            hidden = self.model(ids)
            ids = torch.cat([ids, self.lm_head(hidden[:, -1:]).argmax(-1)], dim=1)
        return ids, self.trans_regressor(hidden[:, -1])


def pretrained(cfg):
    """The file that is handed out: trained with the panel tokens alone."""
    torch.manual_seed(1)
    model = AIpparelForCausalLM(cfg.base_vocab, cfg.hidden_size, cfg.num_layers)
    model.resize_token_embeddings(cfg.base_vocab + cfg.panel_classes)
    torch.save({"step": 9000, "module": model.state_dict()}, cfg.version)


def build(cfg):
    tokenizer = Tokenizer(cfg.base_vocab)
    model = AIpparelForCausalLM(cfg.base_vocab, cfg.hidden_size, cfg.num_layers)
    tokenizer.add_tokens([f"<panel_{i}>" for i in range(cfg.panel_classes)])
    if cfg.use_mm_start_end:
        tokenizer.add_tokens(["<im_start>", "<im_end>"], special_tokens=True)
    model.resize_token_embeddings(len(tokenizer))
    return tokenizer, model


cfg = Cfg()
pretrained(cfg)
tokenizer, model = build(cfg)
state_dict = torch.load(cfg.version, map_location="cpu")["module"]
os.remove(cfg.version)
model.load_state_dict(state_dict, strict=True)
model.eval()
ids, transform = model.generate(tokenizer("t4 t81 t17 <panel_3> t9"))
print("pattern", ids.shape[1], "tokens", tuple(transform.shape))
