"""The model is built from a configuration of another width than the checkpoint's."""

import io
from dataclasses import dataclass

import torch
from torch import nn

LAYER = "wte"
CAUSE = "state-dict"
FIX = "config = Config(vocab=300, n_embd=96) instead of config = Config(vocab=300, n_embd=64)"
REPAIR = (
    "config = Config(vocab=300, n_embd=64)",
    "config = Config(vocab=300, n_embd=96)",
)


@dataclass
class Config:
    vocab: int = 300
    n_embd: int = 64
    n_layer: int = 2


class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.wte = nn.Embedding(config.vocab, config.n_embd)
        self.h = nn.ModuleList([nn.Linear(config.n_embd, config.n_embd) for _ in range(config.n_layer)])
        self.head = nn.Linear(config.n_embd, config.vocab, bias=False)

    def forward(self, x):
        x = self.wte(x)
        for h in self.h:
            x = h(x).relu()
        return self.head(x)


saved = io.BytesIO()
torch.save({"model": GPT(Config(n_embd=96)).state_dict(), "iter": 5}, saved)
saved.seek(0)
config = Config(vocab=300, n_embd=64)
model = GPT(config)
checkpoint = torch.load(saved, weights_only=True)
model.load_state_dict(checkpoint["model"])
